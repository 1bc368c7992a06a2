//! The end of a request's trace. It has the facts of the log line, except the caller's identity.

use std::time::SystemTime;

use opentelemetry::{KeyValue, Value};

use super::facts::{Facts, Outcome};
use crate::models::AttemptTarget;

impl Facts {
    pub(super) fn end_trace(&self, at: SystemTime, target: Option<&AttemptTarget>) {
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
                ("voxgate.provider", target.map(|target| target.provider.clone().into())),
                ("voxgate.attempts", self.attempts.as_ref().map(|attempts| Value::I64(attempts.count().into()))),
                ("voxgate.outcome", Some(self.outcome.as_str().into())),
            ];
            known.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))).collect()
        });
    }
}
