//! The trace of a request. It has the facts of the log line, except the caller's identity.

use std::time::SystemTime;

use opentelemetry::{KeyValue, Value};

use super::{Facts, Outcome, Record};
use crate::models::AttemptTarget;
use crate::telemetry::traces::{Span, Step, Trace};

impl Record {
    /// Attaches the request's trace, which began at `since`.
    pub fn traced(&self, trace: Trace, since: SystemTime) {
        let mut facts = self.facts_mut();
        facts.receiving = trace.since(Step::Receive, since);
        facts.trace = trace;
    }

    /// Returns the request's trace, which is inactive if traces are not configured.
    pub fn trace(&self) -> Trace {
        self.facts().trace.clone()
    }

    /// Takes the span of the first step, to be held until the whole body has arrived.
    pub fn receiving(&self) -> Span {
        std::mem::take(&mut self.facts_mut().receiving)
    }

    /// Begins the span for relaying. Called when a provider has answered, or when the client gets its first keep-alive.
    pub fn relaying(&self) {
        let mut facts = self.facts_mut();
        facts.relaying = facts.trace.begin(Step::Relay);
    }
}

impl Facts {
    pub(super) fn end_trace(&self, at: SystemTime, asked: Option<&AttemptTarget>) {
        let broken = (self.outcome == Outcome::StreamBroken).then_some(self.outcome.as_str());
        self.trace.end(at, self.error.or(broken), || {
            let number = |number: u64| Value::I64(i64::try_from(number).unwrap_or(i64::MAX));
            let known = [
                ("http.response.status_code", self.status.map(|status| Value::I64(status.into()))),
                ("voxgate.request_id", Some(self.request_id.clone().into())),
                // The configured model, never the client's own text: clients can invent any number of names.
                ("voxgate.model", self.counted_as.map(|model| model.as_str().into())),
                ("voxgate.audio_ms", self.audio_ms.map(number)),
                ("voxgate.stream", Some(self.stream.into())),
                ("voxgate.provider", asked.map(|asked| asked.provider.clone().into())),
                ("voxgate.attempts", self.course.as_ref().map(|course| Value::I64(course.tries().into()))),
                ("voxgate.outcome", Some(self.outcome.as_str().into())),
            ];
            known.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))).collect()
        });
    }
}
