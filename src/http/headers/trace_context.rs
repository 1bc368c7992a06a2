//! The start of a request's trace, which continues the client's trace if a `traceparent` header names one.

use std::time::SystemTime;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use futures_util::{Stream, StreamExt};

use crate::http::state::AppState;
use crate::telemetry::traces::{RemoteParent, Span, Trace};

/// Begins the trace of a request that came at `since`. It is empty if traces are not configured, and for frequent requests
/// that lead nowhere: health probes, and all requests to a live session but the one that opens it.
pub(in crate::http) fn begin(
    state: &AppState,
    method: &Method,
    route: &'static str,
    headers: &HeaderMap,
    since: SystemTime,
) -> Trace {
    let Some(traces) = state.shared.traces.as_ref().filter(|_| !is_frequent(route)) else {
        return Trace::default();
    };
    let trace_states: Vec<_> = headers.get_all("tracestate").filter_map(|value| value.to_str().ok()).collect();
    let trace_state = trace_states.join(",");
    let mut parents = headers.get_all("traceparent");
    // Two `traceparent` headers are ambiguous, so neither counts.
    let parent = parents.next().filter(|_| parents.next().is_none()).and_then(|value| value.to_str().ok());
    let parent = RemoteParent { parent, state: Some(trace_state.as_str()) };
    traces.begin(&parent, known_name(method), route, since)
}

fn is_frequent(route: &str) -> bool {
    route.starts_with("/health/") || route.starts_with("/v1/live/{id}")
}

/// Returns a known method's name, or a fixed name for any other: clients can invent any number of them.
fn known_name(method: &Method) -> &'static str {
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
