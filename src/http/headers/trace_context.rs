//! Opens the trace of a request, as its client's if that says so.

use std::time::SystemTime;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use futures_util::{Stream, StreamExt};

use crate::exchange::Record;
use crate::http::state::AppState;
use crate::telemetry::traces::{RemoteParent, Span};

/// Has the record of a request, which came at `since`, keep a trace too, if anybody wants traces. Probes have none: they
/// come all the time and go nowhere.
pub(in crate::http) fn begin(
    house: &AppState,
    record: &Record,
    (method, route): (&Method, &'static str),
    headers: &HeaderMap,
    since: SystemTime,
) {
    let Some(traces) = house.grounds.traces.as_ref().filter(|_| !route.starts_with("/health/")) else { return };
    let states: Vec<_> = headers.get_all("tracestate").filter_map(|value| value.to_str().ok()).collect();
    let state = states.join(",");
    let mut parents = headers.get_all("traceparent");
    // Of two nobody knows which one holds.
    let parent = parents.next().filter(|_| parents.next().is_none()).and_then(|value| value.to_str().ok());
    let whence = RemoteParent { parent, state: Some(state.as_str()) };
    record.traced(traces.begin(&whence, named(method), route, since), since);
}

/// A method as it may be shown: a client can make up others without end.
fn named(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// A body that holds the first step until it has come, or is given up.
pub(in crate::http) fn receiving<S: Stream + Unpin + 'static>(
    body: S,
    step: Span,
) -> impl Stream<Item = S::Item> + Unpin + 'static {
    body.inspect(move |_| {
        let _ = &step;
    })
}
