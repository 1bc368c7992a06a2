//! Edit lists (ISO/IEC 14496-12 §8.6.6). They never shorten the measured length. An edit list that repeats or reorders parts
//! of a track makes it longer, since ffmpeg plays those parts again.

use std::io::{self, Read, Seek};

use super::super::packets::EditPart;
use super::super::{Container, MediaError};
use super::boxes::Fields;
use super::cursor::Cursor;
use super::error::feature;
use super::movie::Track;
use super::tables::Run;

/// The maximum number of entries of an edit list, which is read at once.
const MAX_ENTRIES: u64 = 64 * 1024;
/// The maximum number of passes through a track.
const MAX_PASSES: u32 = 32;

/// A part of a track to play, in ticks of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    begins: i64,
    ends: i64,
}

/// A reader of an edit list. An empty edit before all others is a pause. ffmpeg treats later empty edits as parts that
/// begin one tick before the track.
#[derive(Debug)]
struct Edits {
    list: List,
    timescale: u32,
    movie_timescale: u32,
    begun: bool,
}

#[derive(Debug)]
enum List {
    Narrow(Cursor<12>),
    Wide(Cursor<20>),
}

impl Edits {
    fn for_track(track: &Track) -> Result<Option<Self>, MediaError> {
        let Some(table) = track.tables.edits.filter(|_| track.movie_timescale > 0) else { return Ok(None) };
        if table.count > MAX_ENTRIES {
            return Err(feature("has a longer edit list than any editor makes"));
        }
        let list =
            if track.tables.wide_edits { List::Wide(Cursor::new(table)) } else { List::Narrow(Cursor::new(table)) };
        let Track { timescale, movie_timescale, .. } = *track;
        Ok(Some(Self { list, timescale, movie_timescale, begun: false }))
    }

    fn next<S: Read + Seek>(&mut self, source: &mut S) -> io::Result<Option<Part>> {
        loop {
            let (duration, begins) = match &mut self.list {
                List::Narrow(table) => {
                    let Some(entry) = table.next(source)? else { return Ok(None) };
                    let mut fields = Fields(&entry);
                    let duration = fields.u32().map_or(0, i64::from);
                    (duration, fields.take().map_or(0, i32::from_be_bytes).into())
                }
                List::Wide(table) => {
                    let Some(entry) = table.next(source)? else { return Ok(None) };
                    let mut fields = Fields(&entry);
                    (fields.take().map_or(0, i64::from_be_bytes), fields.take().map_or(0, i64::from_be_bytes))
                }
            };
            if begins == -1 && !self.begun {
                continue;
            }
            self.begun = true;
            let scaled = i128::from(duration) * i128::from(self.timescale) / i128::from(self.movie_timescale);
            // Rounded up to the longest duration that the part can have.
            let scaled = i64::try_from(scaled + 1).unwrap_or(i64::MAX);
            return Ok(Some(Part { begins, ends: begins.saturating_add(scaled) }));
        }
    }
}

/// The maximum number of parts of an edit list that are decoded.
const MAX_PARTS: usize = 1024;

/// Returns the parts of `track` that its edit list plays, in the order of the track; none if all of it is played.
pub(super) fn parts<S: Read + Seek>(source: &mut S, track: &Track) -> Result<Vec<EditPart>, MediaError> {
    let Some(mut edits) = Edits::for_track(track)? else { return Ok(Vec::new()) };
    let mut parts: Vec<EditPart> = Vec::new();
    let mut before = None;
    while let Some(part) = edits.next(source)? {
        if before.is_some_and(|before| part.goes_back(before)) {
            return Err(feature("plays parts of its sound again"));
        }
        before = Some(part);
        let begins = u64::try_from(part.begins).unwrap_or_default();
        // A fragmented file does not know its length in time, and states 0.
        let ends = if part.is_open() { u64::MAX } else { u64::try_from(part.ends).unwrap_or_default() };
        if parts.len() >= MAX_PARTS {
            return Err(feature("consists of more parts than any editor makes"));
        }
        parts.push(EditPart { begins, ends, timescale: track.timescale });
    }
    Ok(parts)
}

/// The parts that an edit list plays, grouped into passes through the track. A new pass begins where the list goes back.
#[derive(Debug)]
pub(super) struct Repeats {
    edits: Edits,
    /// The first part of the next pass.
    next: Option<Part>,
}

impl Repeats {
    /// Reads the edit list of `track`. Returns `None` if it plays nothing twice.
    pub(super) fn for_track<S: Read + Seek>(source: &mut S, track: &Track) -> Result<Option<Self>, MediaError> {
        let Some(mut edits) = Edits::for_track(track)? else { return Ok(None) };
        let (mut passes, mut before) = (1, None);
        while let Some(part) = edits.next(source)? {
            if before.is_some_and(|before| part.goes_back(before)) {
                passes += 1;
            }
            before = Some(part);
        }
        match passes {
            1 => return Ok(None),
            2..=MAX_PASSES if !track.tables.reordered => {}
            2..=MAX_PASSES => return Err(feature("plays parts of its sound again and in another order")),
            _ => return Err(MediaError::Overlapping { container: Container::Mp4 }),
        }
        let Some(mut edits) = Edits::for_track(track)? else { return Ok(None) };
        let next = edits.next(source)?;
        Ok(Some(Self { edits, next }))
    }

    /// Returns the next pass, whose parts are in the order of the track.
    pub(super) fn next_pass(&mut self) -> Option<Pass<'_>> {
        let part = self.next.take()?;
        Some(Pass { repeats: self, part: Some(part) })
    }
}

/// A single pass: parts in the order of the track.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    repeats: &'a mut Repeats,
    part: Option<Part>,
}

impl Pass<'_> {
    /// Takes from `rest` the next packets that the pass plays.
    pub(super) fn take<S: Read + Seek>(&mut self, source: &mut S, rest: &mut Option<Run>) -> io::Result<Option<Run>> {
        while let (Some(run), Some(part)) = (rest.take(), self.part) {
            let before = part.before(&run);
            let played = part.until(&run).saturating_sub(before);
            if before.saturating_add(played) >= run.count {
                // The part may continue in the next run.
                return Ok((played > 0).then(|| run.part(before, played)));
            }
            *rest = Some(run.part(before.saturating_add(played), u64::MAX));
            self.go_on(source, part)?;
            if played > 0 {
                return Ok(Some(run.part(before, played)));
            }
        }
        Ok(None)
    }

    /// Skips the parts of this pass that lie beyond the end of the track.
    pub(super) fn finish<S: Read + Seek>(mut self, source: &mut S) -> io::Result<()> {
        while let Some(part) = self.part {
            self.go_on(source, part)?;
        }
        Ok(())
    }

    fn go_on<S: Read + Seek>(&mut self, source: &mut S, part: Part) -> io::Result<()> {
        let next = self.repeats.edits.next(source)?;
        (self.part, self.repeats.next) =
            if next.is_some_and(|next| next.goes_back(part)) { (None, next) } else { (next, None) };
        Ok(())
    }
}

impl Part {
    /// Returns true if the part has no stated end.
    fn is_open(self) -> bool {
        self.ends <= self.begins.saturating_add(1)
    }

    /// Returns true if this part repeats some of `before`. Rounding makes adjacent parts overlap by a tick.
    fn goes_back(self, before: Self) -> bool {
        self.begins.saturating_add(2) < before.ends
    }

    /// Returns the number of packets of `run` that end before this part begins.
    fn before(self, run: &Run) -> u64 {
        let ticks = u64::try_from(self.begins.saturating_sub(run.time)).unwrap_or(0);
        ticks.checked_div(run.step).unwrap_or(if ticks > 0 { run.count } else { 0 }).min(run.count)
    }

    /// Returns the number of packets of `run` that begin before this part ends.
    fn until(self, run: &Run) -> u64 {
        let ticks = u64::try_from(self.ends.saturating_sub(run.time)).unwrap_or(0);
        if run.step == 0 { if ticks > 0 { run.count } else { 0 } } else { ticks.div_ceil(run.step).min(run.count) }
    }
}
