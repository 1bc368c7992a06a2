//! The joined transcript.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::events::{delta_event, done_event, done_event_of};
use super::members::Members;
use crate::domain::terms::Format;
use crate::ledger::Usage;

/// The joined transcript of all pieces.
pub struct Joined {
    pub(super) format: Format,
    pub(super) answer: Bytes,
    /// The text of all deltas and `rest`.
    pub(super) text: String,
    /// The text that no delta has brought yet.
    pub(super) rest: String,
    pub(super) usage: Usage,
}

impl Joined {
    /// Returns the body of the whole answer.
    pub fn answer(&self) -> &Bytes {
        &self.answer
    }

    /// Returns the content type of the whole answer.
    pub fn content_type(&self) -> &'static str {
        if self.format.is_json() { "application/json" } else { "text/plain; charset=utf-8" }
    }

    /// Returns the data of the events that end a stream: a delta if some text is left, and `transcript.text.done`.
    pub fn closing_events(&self) -> Vec<String> {
        let members = self.format.is_json().then(|| Members::parse(&self.answer)).flatten();
        let done = match members {
            Some(members) => done_event_of(&members, self.format),
            None => done_event(&self.text),
        };
        let delta = (!self.rest.is_empty()).then(|| delta_event(&self.rest, None));
        delta.into_iter().chain([done]).collect()
    }

    /// Returns the sum of what the provider reported: tokens if it did so for every piece, else seconds, in which a piece
    /// without a report counts with its length.
    pub fn usage(&self) -> Usage {
        self.usage
    }
}

/// The transcript of the pieces that were heard before one failed: `error.partial`, but for its `missing`.
#[derive(Serialize)]
pub struct Partial {
    /// The text in the format that the client asked for: all deltas so far.
    pub text: String,
    /// The segments of a verbose answer, or of speakers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Box<RawValue>>,
}
