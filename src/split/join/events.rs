//! The events of a stream.

use super::json::ObjectWriter;
use super::members::Members;
use crate::domain::terms::Format;

/// The part of a stream that a piece adds.
#[derive(Default)]
pub struct Added {
    /// The text that follows what the client has, with the space between two pieces; empty if the piece adds no text.
    pub delta: String,
    /// The data of a `transcript.text.segment` for each segment of a speaker.
    pub segments: Vec<String>,
    /// The JSON array of the log probabilities of `delta`.
    pub(super) logprobs: Option<String>,
}

impl Added {
    /// Returns the data of the events: the delta, then the segments of speakers.
    pub fn into_events(self) -> Vec<String> {
        let delta = (!self.delta.is_empty()).then(|| delta_event(&self.delta, self.logprobs.as_deref()));
        delta.into_iter().chain(self.segments).collect()
    }
}

/// Writes the data of a `transcript.text.delta`. `logprobs` is a JSON array.
pub(super) fn delta_event(delta: &str, logprobs: Option<&str>) -> String {
    let mut event = ObjectWriter::default();
    event.text("type", "transcript.text.delta");
    event.text("delta", delta);
    event.optional("logprobs", logprobs);
    event.finish()
}

/// Writes the data of the `transcript.text.done` of a text.
pub(super) fn done_event(text: &str) -> String {
    let mut event = ObjectWriter::default();
    event.text("type", "transcript.text.done");
    event.text("text", text);
    event.finish()
}

/// Writes the data of the `transcript.text.done` of a JSON answer: its members, but for the segments of speakers, which have
/// events of their own.
pub(super) fn done_event_of(answer: &Members<'_>, format: Format) -> String {
    let mut event = ObjectWriter::default();
    event.text("type", "transcript.text.done");
    let has_event = |name: &str| name == "segments" && format == Format::DiarizedJson;
    for (name, value) in answer.iter().filter(|(name, _)| *name != "type" && !has_event(name)) {
        event.raw(name, value.get());
    }
    event.finish()
}
