//! One step of a request.

use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};

/// The steps, as a reader of a trace finds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From the head of a request to the last byte of its body.
    Receive,
    /// Who is calling?
    Identify,
    /// From the first byte of the body to a job that is measured.
    TakeIn,
    /// May they, now?
    Admit,
    /// Until a provider has answered, which for a stream is its first event: all tries.
    Forward,
    /// From there until the client has the last byte, or is gone.
    Relay,
    /// Until the store has been told what it cost.
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

/// One step while it lasts: it ends when this is dropped. Without a collector, and for a request that is not sampled, it
/// takes nothing and does nothing.
#[derive(Debug, Default)]
pub struct Span(pub(super) Option<Context>);

impl Span {
    /// It has come to an error.
    pub fn failed(&self) {
        if let Some(span) = &self.0 {
            span.span().set_status(Status::error(""));
        }
    }

    /// Adds what is known of it.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &self.0 {
            span.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Something has happened in it. What, is worked out only for those who want to know.
    pub fn event(&self, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) {
        if let Some(span) = &self.0
            && span.span().is_recording()
        {
            span.span().add_event(name, attributes());
        }
    }

    /// What another service is told to be called by it: the `traceparent` of <https://www.w3.org/TR/trace-context/>.
    pub fn traceparent(&self) -> Option<String> {
        let span = self.0.as_ref()?.span().span_context().clone();
        span.is_valid().then(|| traceparent(&span))
    }
}

fn traceparent(span: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), u8::from(span.is_sampled()))
}
