//! Spans of a request's steps.

use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};

/// The steps of a request, as they appear in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The time from the head of the request to the last byte of its body.
    Receive,
    /// Identification of the caller.
    Identify,
    /// The time from the first byte of the body to a measured job.
    TakeIn,
    /// Admission by the limits and budgets.
    Admit,
    /// The time from admission to a provider's answer, or to the first event of its stream; includes all attempts.
    Forward,
    /// The time from the provider's answer until the client has the last byte or leaves.
    Relay,
    /// The write of the cost to the store.
    Settle,
}

impl Step {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Identify => "identify",
            Self::TakeIn => "take in",
            Self::Admit => "admit",
            Self::Forward => "forward",
            Self::Relay => "relay",
            Self::Settle => "settle",
        }
    }
}

/// The span of one step, which ends when it is dropped. Does nothing, at no cost, if there is no collector or the
/// request is not sampled.
#[derive(Debug, Default)]
pub struct Span(pub(super) Option<Context>);

impl Span {
    /// Marks the step as failed.
    pub fn failed(&self) {
        if let Some(span) = &self.0 {
            span.span().set_status(Status::error(""));
        }
    }

    /// Adds an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &self.0 {
            span.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Adds an event. `attributes` runs only if the span is recorded.
    pub fn event(&self, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) {
        if let Some(span) = &self.0
            && span.span().is_recording()
        {
            span.span().add_event(name, attributes());
        }
    }

    /// Returns the `traceparent` header for downstream services (<https://www.w3.org/TR/trace-context/>).
    pub fn traceparent(&self) -> Option<String> {
        let span = self.0.as_ref()?.span().span_context().clone();
        span.is_valid().then(|| traceparent(&span))
    }
}

fn traceparent(span: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), u8::from(span.is_sampled()))
}
