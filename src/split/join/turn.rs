//! Turns of a live session: the words of each, and the segments that they are in.
//!
//! A session can last for hours, so nothing is kept but what the next turn needs.

use serde_json::json;

use super::error::JoinError;
use super::members::Members;
use super::place::PiecePlace;
use super::request::Times;
use super::seam::Seams;
use super::sentences::timed;
use super::times::{PieceClock, nearest_ms};
use super::usage::UsageSum;
use super::voice::Voice;
use crate::domain::AudioMs;
use crate::domain::text::without_byte_order_mark;
use crate::ledger::Report;

/// The joiner of the turns of a live session. It takes them in the order of time.
pub struct TurnJoiner {
    times: Times,
    seams: Seams,
    usage: UsageSum,
    /// The start of the last segment, before which no other starts.
    earliest: AudioMs,
    /// The number of segments so far.
    segments: u64,
}

/// A part of a turn: the delta that brings its words, and the segment that they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnSegment {
    /// The number of the segment in its session, from zero.
    pub number: u64,
    /// The text that follows all text before it.
    pub delta: String,
    /// The words alone.
    pub text: String,
    /// The start in the audio of the session.
    pub start: AudioMs,
    /// The end in the audio of the session, not before `start`.
    pub end: AudioMs,
}

/// Words and their times, before they have their place in the text.
struct Timed<'a> {
    text: &'a str,
    start: AudioMs,
    end: AudioMs,
}

impl TurnJoiner {
    /// Makes a joiner without a turn.
    pub fn new(times: Times) -> Self {
        let (seams, usage) = (Seams::default(), UsageSum::default());
        Self { times, seams, usage, earliest: AudioMs::default(), segments: 0 }
    }

    /// Takes the provider's JSON answer for the next turn, and returns its segments. A turn without words has none.
    pub fn add(&mut self, place: &PiecePlace<'_>, body: &[u8]) -> Result<Vec<TurnSegment>, JoinError> {
        let bare = without_byte_order_mark(body);
        let answer = Members::parse(bare).ok_or(JoinError::NotJson)?;
        let text = answer.string("text").ok_or(JoinError::NoText)?;
        if text.chars().nth(place.max_said()).is_some() {
            return Err(JoinError::TooLong);
        }
        self.usage.add(place.span.length(), Report::of_json(bare), Some(&answer));
        let segments = self.segments_of(place, &answer, &text);
        self.seams.end_piece();
        Ok(segments)
    }

    /// Returns the sum of the reports as JSON: the value of `usage`; `None` if the provider reports nothing.
    pub fn usage(&self) -> Option<String> {
        self.usage.json()
    }

    fn segments_of(&mut self, place: &PiecePlace<'_>, answer: &Members<'_>, text: &str) -> Vec<TurnSegment> {
        let texts = match self.times {
            Times::Model => segment_texts(answer, place.max_said()),
            Times::Pieces => Vec::new(),
        };
        let of_model = timed_by_model(&texts, place);
        // Every word is in a segment, so the model's own count only if they have the whole text.
        let timed_parts = match of_model.filter(|parts| has_all_words(text, parts)) {
            Some(parts) => parts,
            None => timed_by_voice(text, place),
        };
        let mut rest = text;
        let mut segments = Vec::with_capacity(timed_parts.len());
        for Timed { text: words, start, end } in timed_parts {
            let Some(at) = rest.find(words) else { continue };
            let (head, after) = rest.split_at(at.saturating_add(words.len()).min(rest.len()));
            rest = after;
            let delta = self.seams.push(head);
            if delta.is_empty() {
                continue;
            }
            let start = start.max(self.earliest);
            self.earliest = start;
            let number = self.segments;
            self.segments = self.segments.saturating_add(1);
            segments.push(TurnSegment { number, text: words.to_owned(), delta, start, end: end.max(start) });
        }
        self.seams.push(rest);
        segments
    }
}

impl TurnSegment {
    /// Returns the id of the segment in its session.
    pub fn id(&self) -> String {
        format!("seg_{}", self.number)
    }

    /// Returns the data of the `transcript.text.delta` that brings the words.
    pub fn delta_event(&self) -> String {
        json!({ "type": "transcript.text.delta", "delta": self.delta, "segment_id": self.id() }).to_string()
    }

    /// Returns the data of the `transcript.text.segment`.
    pub fn segment_event(&self) -> String {
        let [start, end] = [self.start, self.end].map(|time| time.duration().as_secs_f64());
        json!({ "type": "transcript.text.segment", "id": self.id(), "start": start, "end": end, "text": self.text })
            .to_string()
    }
}

/// A segment of the model's answer as it came.
struct SegmentText<'a> {
    text: String,
    start: &'a serde_json::value::RawValue,
    end: &'a serde_json::value::RawValue,
}

/// Returns the segments of an answer, `max` at most, that have words and times.
fn segment_texts<'a>(answer: &Members<'a>, max: usize) -> Vec<SegmentText<'a>> {
    let segments = answer.array("segments").unwrap_or_default();
    let parsed = segments.into_iter().take(max).filter_map(|raw| {
        let segment = Members::parse(raw.get().as_bytes())?;
        let text = segment.string("text")?.trim().to_owned();
        (!text.is_empty()).then_some(SegmentText { text, start: segment.get("start")?, end: segment.get("end")? })
    });
    parsed.collect()
}

/// Returns the words with the model's times, moved to their places in the session; `None` if it has given none.
fn timed_by_model<'t>(texts: &'t [SegmentText<'_>], place: &PiecePlace<'_>) -> Option<Vec<Timed<'t>>> {
    let clock = PieceClock::of(place);
    let moved = |segment: &'t SegmentText<'_>| {
        let start = clock.moved(segment.start)?;
        let end = clock.moved(segment.end)?.not_before(start.at());
        let start = clock.snapped_to_voice(start, end.at());
        let end = clock.clipped_to_voice(end, start.at());
        Some(Timed { text: &segment.text, start: start.at(), end: end.at() })
    };
    let all: Option<Vec<_>> = texts.iter().map(moved).collect();
    all.filter(|parts| !parts.is_empty())
}

/// Returns the sentences of a text with times that are estimated from the voice.
fn timed_by_voice<'t>(text: &'t str, place: &PiecePlace<'_>) -> Vec<Timed<'t>> {
    let sentences = timed(text, &Voice::of(place)).into_iter();
    let parts = sentences.filter(|sentence| !sentence.text.is_empty()).map(|sentence| Timed {
        text: sentence.text,
        start: nearest_ms(sentence.span.start),
        end: nearest_ms(sentence.span.end),
    });
    parts.collect()
}

/// Returns true if nothing but white space of `text` is outside the parts, which follow on each other in it.
fn has_all_words(text: &str, parts: &[Timed<'_>]) -> bool {
    let after = |rest: &'_ str, part: &Timed<'_>| -> Option<usize> {
        let at = rest.len() - rest.trim_start().len();
        rest.get(at..)?.starts_with(part.text).then(|| at + part.text.len())
    };
    let mut rest = text;
    for part in parts {
        let Some(end) = after(rest, part) else { return false };
        rest = rest.get(end..).unwrap_or_default();
    }
    rest.trim().is_empty()
}
