//! Segments and words of verbose answers.

use serde_json::value::RawValue;

use super::error::JoinError;
use super::json::{Items, ObjectWriter};
use super::members::Members;
use super::times::{Moment, PieceClock};
use crate::domain::AudioMs;

/// The segments or the words of all pieces.
#[derive(Default)]
pub(super) struct TimedItems {
    items: Items,
    /// True if an answer had such items, even if none.
    given: bool,
    next: Next,
}

/// The state that one item hands to the next.
#[derive(Default, Clone, Copy)]
struct Next {
    /// The number of the next segment; `None` before the first.
    id: Option<u64>,
    /// The start of the last item, before which no other starts.
    earliest: AudioMs,
    /// The number of items of this piece.
    in_piece: usize,
}

impl Next {
    fn of_piece(self) -> Self {
        Self { in_piece: 0, ..self }
    }

    /// Counts items of a piece, which are no more than can be said in it.
    fn count(&mut self, items: usize, clock: &PieceClock) -> Result<(), JoinError> {
        self.in_piece = self.in_piece.saturating_add(items);
        if self.in_piece > clock.max_said() { Err(JoinError::TooLong) } else { Ok(()) }
    }
}

/// Items of one piece, moved to their places in the recording.
pub(super) struct MovedItems {
    items: Vec<String>,
    given: bool,
    next: Next,
}

impl TimedItems {
    /// Moves the segments of the next piece.
    pub(super) fn moved_segments(
        &self,
        clock: &PieceClock,
        raw: Option<&[&RawValue]>,
    ) -> Result<MovedItems, JoinError> {
        let mut next = self.next.of_piece();
        next.count(raw.map_or(0, <[_]>::len), clock)?;
        let segments = raw.into_iter().flatten();
        let items = segments.map(|segment| moved_segment(clock, segment, &mut next)).collect::<Result<_, _>>()?;
        Ok(MovedItems { items, given: raw.is_some(), next })
    }

    /// Moves the words of the next piece.
    pub(super) fn moved_words(&self, clock: &PieceClock, raw: Option<&[&RawValue]>) -> Result<MovedItems, JoinError> {
        let mut next = self.next.of_piece();
        next.count(raw.map_or(0, <[_]>::len), clock)?;
        let words = raw.into_iter().flatten();
        let items = words.map(|word| moved_word(clock, word, &mut next.earliest)).collect::<Result<_, _>>()?;
        Ok(MovedItems { items, given: raw.is_some(), next })
    }

    /// Appends what was moved.
    pub(super) fn append(&mut self, moved: &MovedItems) {
        for item in &moved.items {
            self.items.push(item);
        }
        self.given |= moved.given;
        self.next = moved.next;
    }

    /// Appends a segment that has no other members than these.
    pub(super) fn push_segment(&mut self, start: &str, end: &str, text: &str) {
        let id = self.next.id.unwrap_or_default();
        let mut segment = ObjectWriter::default();
        segment.raw("id", &id.to_string());
        segment.raw("start", start);
        segment.raw("end", end);
        segment.text("text", text);
        self.items.push(&segment.finish());
        self.given = true;
        self.next.id = Some(id.saturating_add(1));
    }

    /// Returns the JSON array; `None` if no answer had such items.
    pub(super) fn array(&self) -> Option<String> {
        self.given.then(|| self.items.array())
    }
}

fn moved_segment(clock: &PieceClock, raw: &RawValue, next: &mut Next) -> Result<String, JoinError> {
    let segment = Members::parse(raw.get().as_bytes()).ok_or(JoinError::NoTimes)?;
    let (start, end) = times(clock, &segment, next.earliest).ok_or(JoinError::NoTimes)?;
    let words = moved_inner_words(clock, &segment, start.at(), next)?;
    // Words have times of their own, which tell better where their segment starts.
    let has_words = words.as_deref().is_some_and(|words| words != "[]");
    let start = if has_words { start } else { clock.snapped_to_voice(start, end.at()) };
    let end = clock.clipped_to_voice(end, start.at());
    next.earliest = start.at();
    let id = segment.get("id").and_then(number).map(|id| next.id.unwrap_or(id));
    next.id = id.map(|id| id.saturating_add(1)).or(next.id);
    let seek = segment.get("seek").and_then(number).filter(|_| !clock.is_at_zero());
    Ok(segment.rewritten(|name| match name {
        "start" => Some(start.json()),
        "end" => Some(end.json()),
        "id" => id.map(|id| id.to_string()),
        "seek" => seek.map(|seek| clock.moved_seek(seek).to_string()),
        "words" => words.clone(),
        _ => None,
    }))
}

/// Moves the words that some servers write into the segment.
fn moved_inner_words(
    clock: &PieceClock,
    segment: &Members<'_>,
    start: AudioMs,
    next: &mut Next,
) -> Result<Option<String>, JoinError> {
    let Some(words) = segment.array("words") else { return Ok(None) };
    next.count(words.len(), clock)?;
    let (mut earliest, mut items) = (start, Items::default());
    for word in words {
        items.push(&moved_word(clock, word, &mut earliest)?);
    }
    Ok(Some(items.array()))
}

/// Moves a word. Some servers have words without times, such as numbers; they stay as they are.
fn moved_word(clock: &PieceClock, raw: &RawValue, earliest: &mut AudioMs) -> Result<String, JoinError> {
    let word = Members::parse(raw.get().as_bytes()).ok_or(JoinError::NoTimes)?;
    let Some((start, end)) = times(clock, &word, *earliest) else { return Ok(raw.get().to_owned()) };
    *earliest = start.at();
    Ok(word.rewritten(|name| match name {
        "start" => Some(start.json()),
        "end" => Some(end.json()),
        _ => None,
    }))
}

/// Returns start and end, neither before `earliest`.
fn times(clock: &PieceClock, item: &Members<'_>, earliest: AudioMs) -> Option<(Moment, Moment)> {
    let start = clock.moved(item.get("start")?)?.not_before(earliest);
    let end = clock.moved(item.get("end")?)?.not_before(start.at());
    Some((start, end))
}

fn number(value: &RawValue) -> Option<u64> {
    serde_json::from_str(value.get()).ok()
}
