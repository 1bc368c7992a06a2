//! The parts of an event that the relay reads, and the frame of the events that it writes.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::sse::Event;

/// The parts of an event that the relay reads.
#[derive(Deserialize)]
pub(super) struct EventEnvelope<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) error: Option<IgnoredAny>,
}

/// Returns true if an event without its blank line is otherwise complete, not cut off in its data.
pub(super) fn is_whole(event: &Event) -> bool {
    event.is_done_marker() || event.data().is_some_and(|data| serde_json::from_slice::<IgnoredAny>(&data).is_ok())
}

/// Frames JSON as one event on one line, for clients that read line by line. In JSON a line break can only stand
/// between tokens, where a space means the same.
pub(super) fn framed(data: &str) -> Bytes {
    format!("data: {}\n\n", data.replace(['\r', '\n'], " ")).into()
}
