//! The trace of one request.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

use super::exporter::Traces;
use super::span::{Span, Step};

/// The maximum length of a `tracestate`. A longer one is left out: every span carries it, and many spans may be queued.
/// The standard requires no more than this. <https://www.w3.org/TR/trace-context/#tracestate-limits>
const MAX_STATE_BYTES: usize = 512;

/// The parent of a request's trace, as sent by its client.
pub struct RemoteParent<'a> {
    /// `traceparent`. An invalid one counts as missing.
    pub parent: Option<&'a str>,
    /// `tracestate`
    pub state: Option<&'a str>,
}

impl Extractor for RemoteParent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.parent.filter(|parent| is_well_formed(parent)),
            "tracestate" => self.state.filter(|state| state.len() <= MAX_STATE_BYTES),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Returns true if the parts that every version of `traceparent` begins with have the right lengths and digits. The SDK
/// checks the rest.
fn is_well_formed(parent: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = parent.split('-');
    [2, 32, 16, 2].into_iter().all(|length| parts.next().is_some_and(|part| part.len() == length && is_hex(part)))
}

/// The trace of one request: cheap to clone, and empty without a collector.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<InnerTrace>>);

struct InnerTrace {
    tracer: SdkTracer,
    root: Context,
}

impl Traces {
    /// Begins the trace of a request that arrived at `since`. The method is a known HTTP method, and the route is a
    /// pattern.
    pub fn begin(
        &self,
        remote: &RemoteParent<'_>,
        method: &'static str,
        route: &'static str,
        since: SystemTime,
    ) -> Trace {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), remote);
        let tracer = self.tracer.clone();
        let span = tracer.span_builder(format!("{method} {route}")).with_kind(SpanKind::Server).with_start_time(since);
        let attributes = [KeyValue::new("http.request.method", method), KeyValue::new("http.route", route)];
        let span = span.with_attributes(attributes).start_with_context(&tracer, &parent);
        Trace(Some(Arc::new(InnerTrace { tracer, root: Context::new().with_span(span) })))
    }
}

impl Trace {
    /// Begins the span of a step that started at `since`.
    pub fn since(&self, step: Step, since: SystemTime) -> Span {
        let Some(inside) = &self.0 else { return Span::default() };
        let InnerTrace { tracer, root } = &**inside;
        let kind = if step == Step::Forward { SpanKind::Client } else { SpanKind::Internal };
        let span = tracer.span_builder(step.name()).with_kind(kind).with_start_time(since);
        Span(Some(root.with_span(span.start_with_context(tracer, root))))
    }

    /// Begins the span of a step that starts now.
    pub fn begin(&self, step: Step) -> Span {
        if self.0.is_some() { self.since(step, SystemTime::now()) } else { Span::default() }
    }

    /// Runs the `work` of a step, and marks its span as failed if the work fails.
    pub async fn during<T, E>(&self, step: Step, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let span = self.begin(step);
        let done = work.await;
        if done.is_err() {
            span.failed();
        }
        done
    }

    /// Returns the trace id.
    pub fn id(&self) -> Option<String> {
        self.0.as_ref().map(|inside| inside.root.span().span_context().trace_id().to_string())
    }

    /// Ends the root span; spans of steps may still be open. `error` is the reason if the request failed. `attributes`
    /// runs only if the trace is recorded.
    pub fn end(&self, at: SystemTime, error: Option<&'static str>, attributes: impl FnOnce() -> Vec<KeyValue>) {
        let Some(inside) = &self.0 else { return };
        let root = inside.root.span();
        if root.is_recording() {
            root.set_attributes(attributes());
        }
        if let Some(error) = error {
            root.set_attribute(KeyValue::new("error.type", error));
            root.set_status(Status::error(error));
        }
        root.end_with_timestamp(at);
    }
}
