//! Segments of speakers.

use serde_json::json;
use serde_json::value::RawValue;

use super::error::JoinError;
use super::members::Members;
use super::place::PiecePlace;
use super::times::PieceClock;

/// A reader of the segments of a piece's speakers.
pub(super) struct SpeakerSegments<'a> {
    clock: PieceClock,
    place: PiecePlace<'a>,
    known: &'a [String],
}

impl<'a> SpeakerSegments<'a> {
    /// Makes the reader for the piece at `place`; `known` are the names of the speakers that the client knows.
    pub(super) fn of(place: PiecePlace<'a>, known: &'a [String]) -> Self {
        Self { clock: PieceClock::of(&place), place, known }
    }

    /// Moves the segments of an answer.
    pub(super) fn all_moved(&self, segments: &[&RawValue]) -> Result<Vec<String>, JoinError> {
        if segments.len() > self.place.max_said() {
            return Err(JoinError::TooLong);
        }
        segments.iter().map(|segment| self.moved(segment)).collect()
    }

    /// Moves a segment, and marks its id and speaker with the piece if there is more than one: models number segments and
    /// name speakers anew for each piece, and nobody knows which are the same person.
    pub(super) fn moved(&self, raw: &RawValue) -> Result<String, JoinError> {
        let segment = Members::parse(raw.get().as_bytes()).ok_or(JoinError::NoTimes)?;
        let time = |name| segment.get(name).and_then(|time| self.clock.moved(time)).ok_or(JoinError::NoTimes);
        let start = time("start")?;
        let end = self.clock.clipped_to_voice(time("end")?.not_before(start.at()), start.at());
        let moved = segment.rewritten(|name| match name {
            "start" => Some(start.json()),
            "end" => Some(end.json()),
            "id" => segment.get(name).and_then(|id| self.marked(id)),
            "speaker" => segment.get(name).and_then(|speaker| self.marked_speaker(speaker)),
            _ => None,
        });
        // Some servers leave the type out, but an event has one.
        match moved.strip_prefix('{').filter(|_| segment.get("type").is_none()) {
            Some(members) => Ok(format!(r#"{{"type":"transcript.text.segment",{members}"#)),
            None => Ok(moved),
        }
    }

    fn marked_speaker(&self, speaker: &RawValue) -> Option<String> {
        let name: Option<String> = serde_json::from_str(speaker.get()).ok();
        let is_known = name.is_some_and(|name| self.known.contains(&name));
        if is_known { None } else { self.marked(speaker) }
    }

    /// Returns `1:A` for `A` of the first piece; `None` if the label stays as it is.
    fn marked(&self, label: &RawValue) -> Option<String> {
        if self.place.is_only() || label.get() == "null" {
            return None;
        }
        let text = serde_json::from_str(label.get()).unwrap_or_else(|_| label.get().to_owned());
        Some(json!(format!("{}:{text}", self.place.number.saturating_add(1))).to_string())
    }
}
