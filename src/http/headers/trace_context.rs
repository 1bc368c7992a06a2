//! The start of a request's trace, which continues the client's trace if a `traceparent` header names one.

use std::time::SystemTime;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use futures_util::{Stream, StreamExt};

use crate::exchange::Record;
use crate::http::state::AppState;
use crate::telemetry::traces::{RemoteParent, Span};

/// Attaches a trace to the record of a request that came at `since`, if traces are configured. Health probes get none:
/// they are frequent and lead nowhere.
pub(in crate::http) fn begin(
    state: &AppState,
    record: &Record,
    (method, route): (&Method, &'static str),
    headers: &HeaderMap,
    since: SystemTime,
) {
    let Some(traces) = state.shared.traces.as_ref().filter(|_| !route.starts_with("/health/")) else { return };
    let states: Vec<_> = headers.get_all("tracestate").filter_map(|value| value.to_str().ok()).collect();
    let state = states.join(",");
    let mut parents = headers.get_all("traceparent");
    // Two `traceparent` headers are ambiguous, so neither counts.
    let parent = parents.next().filter(|_| parents.next().is_none()).and_then(|value| value.to_str().ok());
    let whence = RemoteParent { parent, state: Some(state.as_str()) };
    record.traced(traces.begin(&whence, named(method), route, since), since);
}

/// Returns a known method's name, or a fixed name for any other: clients can invent any number of them.
fn named(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// Wraps a body so that the first step lasts until the body has arrived or is dropped.
pub(in crate::http) fn receiving<S: Stream + Unpin + 'static>(
    body: S,
    step: Span,
) -> impl Stream<Item = S::Item> + Unpin + 'static {
    body.inspect(move |_| {
        let _ = &step;
    })
}
