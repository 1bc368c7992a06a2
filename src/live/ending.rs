//! The end of a session, and the events of errors.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::LiveFailure;
use super::session::LiveSession;
use super::status::Phase;
use crate::speech::Span;

/// A session that is over when this is dropped, however its task ends.
pub(super) struct OverOnDrop {
    pub(super) session: Arc<LiveSession>,
    /// Writes the members of an error.
    pub(super) describe: fn(&LiveFailure) -> Value,
}

impl OverOnDrop {
    /// Returns the event of a turn that failed: the error, with the times of the turn.
    pub(super) fn turn_error(&self, failure: &LiveFailure, span: Span) -> String {
        let mut error = (self.describe)(failure);
        if let Some(members) = error.as_object_mut() {
            for (name, at) in [("start", span.start), ("end", span.end)] {
                members.insert(name.to_owned(), json!(at.audio_ms().duration().as_secs_f64()));
            }
        }
        json!({ "type": "error", "error": error }).to_string()
    }

    /// Ends the session well. Its last events are written.
    pub(super) fn end(&self) {
        self.session.set_phase(Phase::Ended);
    }

    /// Ends the session with an error.
    pub(super) fn fail(&self, failure: &LiveFailure) {
        let event = json!({ "type": "error", "error": (self.describe)(failure) });
        self.session.events.fail(&event.to_string());
        self.session.set_phase(Phase::Failed);
    }
}

impl Drop for OverOnDrop {
    fn drop(&mut self) {
        if !self.session.status().phase.is_over() {
            self.fail(&LiveFailure::Stopped);
        }
    }
}
