//! The walk over the boxes of a file, fed window by window, which also plays the fragments on the way.

use super::super::MediaError;
use super::super::demux::{Demuxer, PacketSink, Step, TrackId};
use super::boxes::{BoxHead, Found, Kind, head, is_entered};
use super::error::feature;
use super::fragments::{Fragments, Run};
use super::indexes::MAX_INDEXES;
use super::movie::{Movie, Track};
use super::pending::Queue;

/// The maximum depth of boxes: ffmpeg reads no deeper.
const MAX_DEPTH: usize = 10;
/// The maximum number of bytes read of a box with a sample description or brands.
const DESCRIPTION: usize = 64 * 1024;
/// The maximum number of bytes read of any other box: its fields, or the fields before a table.
const FIELDS: usize = 64;

/// The boxes that a live recording consists of.
const OUTER: &[&Kind] = &[
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx", b"ssix", b"prft", b"emsg",
    b"pdin", b"uuid", b"udta", b"meta", b"mfra",
];
const NO_BOX: &str = "has bytes between its boxes";

/// A walk over an MP4 file that builds its [`Movie`] and hands on the packets of its fragments. The caller plays the packets
/// in the movie's tables.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Mp4 {
    /// The offset of the window.
    at: u64,
    open: Vec<Open>,
    task: Task,
    /// True to search for the index in boxes marked as free, since there was none elsewhere.
    even_in_free: bool,
    movie: Movie,
    index: Index,
    has_fragments: bool,
    /// The start and the end of the content of each `sidx` box.
    segment_indexes: Vec<(u64, u64)>,
    fragments: Fragments,
    /// True if the recording is live: it must consist of fragments, and bytes that are no box are refused.
    is_live: bool,
}

/// The part of a file's index (the movie) seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Index {
    #[default]
    Missing,
    CutOff,
    Whole,
}

/// An open box.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: Kind,
    end: u64,
}

/// The current task of the walk.
#[derive(Debug, Clone, Copy, Default)]
enum Task {
    /// Reading the box that begins here.
    #[default]
    Boxes,
    /// Skipping to `until`.
    Skipping { until: u64 },
    /// Reading a list of a fragment's samples; `until` is the end of its box.
    Listing { run: Run, until: u64 },
    /// Searching an open `meta` for its handler, with which its boxes begin.
    Searching { from: u64 },
}

impl Mp4 {
    pub(super) fn even_in_free() -> Self {
        Self { even_in_free: true, ..Self::default() }
    }

    /// Creates the walk over a recording that is live.
    pub(in super::super) fn live() -> Self {
        Self { is_live: true, ..Self::default() }
    }

    /// Returns the number of bytes held for samples that have not arrived.
    pub(in super::super) fn held(&self) -> usize {
        self.fragments.held_bytes()
    }

    /// Returns the part of the index seen so far.
    pub(super) fn index(&self) -> Index {
        self.index
    }

    /// Returns true if the file has fragments.
    pub(in super::super) fn has_fragments(&self) -> bool {
        self.has_fragments
    }

    /// Returns the indexes of the fragments, or `None` if the file has neither fragments nor indexes of them.
    pub(super) fn segment_indexes(&self) -> Option<&[(u64, u64)]> {
        let indexed = self.has_fragments || !self.segment_indexes.is_empty();
        indexed.then_some(&self.segment_indexes)
    }

    /// Returns the track under which the sink counts `id`.
    pub(super) fn track(&self, id: TrackId) -> Option<&Track> {
        self.movie.tracks().iter().find(|track| track.counted == id)
    }

    /// Takes the samples of the track that the sink counts as `id` and whose bytes had passed when they were listed.
    pub(super) fn take_behind(&mut self, id: TrackId) -> Option<(&Track, Queue)> {
        let (place, track) = self.movie.tracks().iter().enumerate().find(|(_, track)| track.counted == id)?;
        Some((track, self.fragments.take_behind(place)?))
    }

    pub(super) fn into_parts(self) -> (Movie, Fragments) {
        (self.movie, self.fragments)
    }

    /// Returns the end of the innermost box.
    fn end(&self) -> u64 {
        self.open.last().map_or(u64::MAX, |open| open.end)
    }

    /// Closes the boxes that end here.
    fn close(&mut self) {
        while let Some(open) = self.open.pop_if(|open| open.end <= self.at) {
            if &open.kind == b"moov" {
                self.index = Index::Whole;
            }
        }
    }

    fn pass(&mut self, until: u64) {
        self.task = Task::Skipping { until };
    }

    /// Reads the box that begins here. Returns the number of bytes that the window must hold, if it holds too few.
    fn read_box(
        &mut self,
        window: &[u8],
        at_end: bool,
        sink: &mut dyn PacketSink,
    ) -> Result<Option<usize>, MediaError> {
        let available = self.end().saturating_sub(self.at);
        let found = if available < 8 { Found::Broken } else { head(window, available) };
        let found = match found {
            Found::Head(found) => found,
            Found::More(needed) if !at_end => return Ok(Some(needed)),
            // ffmpeg ignores the rest of the enclosing box too.
            Found::Broken if self.is_live => return Err(feature(NO_BOX)),
            Found::More(_) | Found::Broken => {
                self.pass(self.end());
                return Ok(None);
            }
        };
        self.check_live(found)?;
        let begins = self.at.saturating_add(found.bytes);
        let end = found.content.map_or(u64::MAX, |content| begins.saturating_add(content)).min(self.end());
        let needed = self.needed(found, end.saturating_sub(begins));
        let whole = usize::try_from(found.bytes).unwrap_or_default().saturating_add(needed);
        if window.len() < whole && !at_end {
            return Ok(Some(whole));
        }
        let content = window.get(usize::try_from(found.bytes).unwrap_or_default()..).unwrap_or_default();
        let content = content.get(..needed).unwrap_or(content);
        self.enter(found.kind, begins, end, content, sink)?;
        Ok(None)
    }

    /// Returns the number of bytes of a box that the window must hold.
    fn needed(&self, found: BoxHead, size: u64) -> usize {
        let fields = usize::try_from(size).unwrap_or(FIELDS).min(FIELDS);
        match &found.kind {
            // The boxes in a description may extend beyond it.
            b"stsd" if !self.is_live => DESCRIPTION,
            b"ftyp" | b"dref" | b"stsd" => usize::try_from(size).unwrap_or(DESCRIPTION).min(DESCRIPTION),
            b"free" if !self.even_in_free => 0,
            b"mdat" | b"skip" | b"wide" => 0,
            _ => fields,
        }
    }

    /// Refuses a box that no live recording has here.
    fn check_live(&self, found: BoxHead) -> Result<(), MediaError> {
        let is_outer = self.is_live && self.open.is_empty();
        match &found.kind {
            b"mdat" if is_outer && !self.has_fragments && found.content != Some(0) => {
                Err(feature("has sound before its first fragment, so it cannot be decoded while it arrives"))
            }
            kind if is_outer && !OUTER.contains(&kind) => Err(feature(NO_BOX)),
            _ => Ok(()),
        }
    }

    fn enter(
        &mut self,
        kind: Kind,
        begins: u64,
        end: u64,
        content: &[u8],
        sink: &mut dyn PacketSink,
    ) -> Result<(), MediaError> {
        let hides_movie = matches!(content.get(4..8), Some(b"mvhd" | b"cmov"));
        let kind = match &kind {
            b"free" if self.even_in_free && hides_movie => *b"moov",
            b"hoov" if hides_movie => *b"moov",
            _ => kind,
        };
        let parent = self.open.last().map(|open| open.kind);
        match &kind {
            // Only the first `moov` counts.
            b"moov" if self.index == Index::Whole => self.pass(end),
            b"trak" | b"mdat" if parent.is_some_and(|parent| &parent != b"moov") => self.pass(self.end()),
            b"cmov" => return Err(feature("compresses its index (cmov)")),
            _ if is_entered(kind) => {
                if self.open.len() >= MAX_DEPTH {
                    return Err(feature("nests its boxes too deeply"));
                }
                self.open.push(Open { kind, end });
                match &kind {
                    b"trak" => self.movie.begin_track(sink)?,
                    b"moof" => {
                        self.has_fragments = true;
                        self.movie.settle(sink)?;
                        self.fragments.begin(begins.saturating_sub(8));
                    }
                    _ => {}
                }
                self.task =
                    if &kind == b"meta" { Task::Searching { from: begins } } else { Task::Skipping { until: begins } };
            }
            b"sidx" => {
                if self.segment_indexes.len() >= MAX_INDEXES {
                    return Err(feature("has more indexes than any recorder writes"));
                }
                self.segment_indexes.push((begins, end));
                self.pass(end);
            }
            b"tfhd" => {
                self.fragments.read_head(&self.movie, content, end.saturating_sub(begins))?;
                self.pass(end);
            }
            b"trun" => {
                let size = end.saturating_sub(begins);
                match self.fragments.read_run(&self.movie, content, size, begins)? {
                    Some(run) => self.task = Task::Listing { run, until: end },
                    None => self.pass(end),
                }
            }
            _ => {
                self.movie.read(kind, begins, end.saturating_sub(begins), content)?;
                self.pass(end);
            }
        }
        Ok(())
    }
}

impl Mp4 {
    /// Advances by `count` bytes or by the number of bytes that can be skipped at once, whichever is less.
    fn go(&mut self, count: u64, window: &[u8], sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let shown = u64::try_from(window.len()).unwrap_or(u64::MAX);
        let count = count.min(self.fragments.step(self.at, shown)).max(1);
        let bytes = usize::try_from(count).ok().and_then(|count| window.get(..count)).unwrap_or(window);
        self.fragments.show(self.movie.tracks(), self.at, bytes, sink)?;
        self.at = self.at.saturating_add(count);
        Ok(Step::Advance(count))
    }

    /// Reads the part in the window of a list of a fragment's samples.
    fn list(
        &mut self,
        mut run: Run,
        until: u64,
        window: &[u8],
        at_end: bool,
        sink: &mut dyn PacketSink,
    ) -> Result<Step, MediaError> {
        if let Some(before @ 1..) = run.begins.checked_sub(self.at) {
            return self.go(before, window, sink);
        }
        let taken = u64::try_from(self.fragments.read_entries(&mut run, window)?).unwrap_or(u64::MAX);
        if taken == 0 && run.left > 0 && !at_end {
            return Ok(Step::Need(run.entry));
        }
        run.begins = run.begins.saturating_add(taken);
        self.task = if taken > 0 && run.left > 0 { Task::Listing { run, until } } else { Task::Skipping { until } };
        self.go(taken, window, sink)
    }

    /// Searches for the handler with which the boxes of a `meta` begin.
    fn search(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Option<Step>, MediaError> {
        let available = usize::try_from(self.end().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let searched = window.get(..window.len().min(available)).unwrap_or_default();
        if searched.len() < 8 && available >= 8 && !at_end {
            return Ok(Some(Step::Need(8)));
        }
        let words = searched.get(4..).unwrap_or_default().chunks_exact(4);
        let before = words.clone().take_while(|word| *word != b"hdlr").count();
        if before < words.len() {
            self.task = Task::Boxes;
        }
        if searched.len() < 8 {
            self.pass(self.end());
        }
        if before == 0 {
            return Ok(None);
        }
        self.go(u64::try_from(before.saturating_mul(4)).unwrap_or(u64::MAX), window, sink).map(Some)
    }
}

impl Demuxer for Mp4 {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        if window.is_empty() && at_end {
            self.close();
            if self.open.iter().any(|open| &open.kind == b"moov") && self.index == Index::Missing {
                self.index = Index::CutOff;
            }
            self.movie.settle(sink)?;
            self.fragments.finish(self.movie.tracks(), sink);
            return Ok(Step::End);
        }
        loop {
            self.close();
            let step = match self.task {
                Task::Boxes => self.read_box(window, at_end, sink)?.map(Step::Need),
                Task::Skipping { until } if until <= self.at => {
                    self.task = Task::Boxes;
                    None
                }
                Task::Skipping { until } => Some(self.go(until.saturating_sub(self.at), window, sink)?),
                Task::Listing { run, until } => Some(self.list(run, until, window, at_end, sink)?),
                Task::Searching { from } if from > self.at => Some(self.go(from - self.at, window, sink)?),
                Task::Searching { .. } => self.search(window, at_end, sink)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }
}
