//! The walk through a file's boxes, fed window by window, and the sound of fragments on the way.

use super::super::MediaError;
use super::super::demux::{Demuxer, PacketSink, Step};
use super::boxes::{BoxHead, Found, Kind, head, is_entered};
use super::feature;
use super::fragments::{Fragments, Run};
use super::indexes::MAX_INDEXES;
use super::movie::Movie;

/// How deeply boxes may be nested: ffmpeg reads no more.
const MAX_DEPTH: usize = 10;
/// How much of a box with a sample description or brands is read.
const DESCRIPTION: usize = 64 * 1024;
/// How much of every other box is: its fields, or what stands before a table.
const FIELDS: usize = 64;

/// Walks through an MP4: builds the [`Movie`] of it and hands on the packets of its fragments. Those that the movie's
/// tables name are for the caller.
#[derive(Debug, Default)]
pub(in super::super) struct Mp4 {
    /// Where the window begins.
    at: u64,
    open: Vec<Open>,
    doing: Doing,
    /// Looks for the index in boxes that are said to be free, as there was none elsewhere.
    even_in_free: bool,
    movie: Movie,
    index: Index,
    has_fragments: bool,
    /// Where the contents of `sidx` boxes begin and end.
    segment_indexes: Vec<(u64, u64)>,
    fragments: Fragments,
}

/// How much of a file's index, the movie, has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Index {
    #[default]
    Missing,
    CutOff,
    Whole,
}

/// A box that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: Kind,
    end: u64,
}

/// What the walk is at.
#[derive(Debug, Clone, Copy, Default)]
enum Doing {
    /// A box begins here.
    #[default]
    Boxes,
    /// Nothing matters until there.
    Passing { until: u64 },
    /// A list of a fragment's samples, until where its box ends.
    Listing { run: Run, until: u64 },
    /// A `meta` has been entered: its boxes begin with its handler.
    Searching { from: u64 },
}

impl Mp4 {
    pub(super) fn even_in_free() -> Self {
        Self { even_in_free: true, ..Self::default() }
    }

    /// How much there is of the index.
    pub(super) fn index(&self) -> Index {
        self.index
    }

    /// The indexes of its fragments, if it may have such.
    pub(super) fn segment_indexes(&self) -> Option<&[(u64, u64)]> {
        let indexed = self.has_fragments || !self.segment_indexes.is_empty();
        indexed.then_some(&self.segment_indexes)
    }

    pub(super) fn into_parts(self) -> (Movie, Fragments) {
        (self.movie, self.fragments)
    }

    /// Where the innermost box ends.
    fn end(&self) -> u64 {
        self.open.last().map_or(u64::MAX, |open| open.end)
    }

    /// Closes what has ended here.
    fn close(&mut self) {
        while let Some(open) = self.open.pop_if(|open| open.end <= self.at) {
            if &open.kind == b"moov" {
                self.index = Index::Whole;
            }
        }
    }

    fn pass(&mut self, until: u64) {
        self.doing = Doing::Passing { until };
    }

    /// Looks at the box that begins here.
    fn look(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Option<usize>, MediaError> {
        let room = self.end().saturating_sub(self.at);
        let found = if room < 8 { Found::Broken } else { head(window, room) };
        let found = match found {
            Found::Head(found) => found,
            Found::More(needed) if !at_end => return Ok(Some(needed)),
            // Neither does ffmpeg look at what follows in here.
            Found::More(_) | Found::Broken => {
                self.pass(self.end());
                return Ok(None);
            }
        };
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

    /// How many bytes of a box have to be seen.
    fn needed(&self, found: BoxHead, size: u64) -> usize {
        let fields = usize::try_from(size).unwrap_or(FIELDS).min(FIELDS);
        match &found.kind {
            // A description's boxes may reach beyond it.
            b"stsd" => DESCRIPTION,
            b"ftyp" | b"dref" => usize::try_from(size).unwrap_or(DESCRIPTION).min(DESCRIPTION),
            b"free" if !self.even_in_free => 0,
            b"mdat" | b"skip" | b"wide" => 0,
            _ => fields,
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
            // Only the first counts.
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
                self.doing =
                    if &kind == b"meta" { Doing::Searching { from: begins } } else { Doing::Passing { until: begins } };
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
                    Some(run) => self.doing = Doing::Listing { run, until: end },
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
    /// Moves on by `count` bytes or by as many as can be passed over at once, whichever is less.
    fn go(&mut self, count: u64, window: &[u8], sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let shown = u64::try_from(window.len()).unwrap_or(u64::MAX);
        let count = count.min(self.fragments.step(self.at, shown)).max(1);
        let bytes = usize::try_from(count).ok().and_then(|count| window.get(..count)).unwrap_or(window);
        self.fragments.show(self.movie.tracks(), self.at, bytes, sink)?;
        self.at = self.at.saturating_add(count);
        Ok(Step::Advance(count))
    }

    /// Reads what the window holds of a list of a fragment's samples.
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
        self.doing = if taken > 0 && run.left > 0 { Doing::Listing { run, until } } else { Doing::Passing { until } };
        self.go(taken, window, sink)
    }

    /// Looks for the handler that a `meta`'s boxes begin with.
    fn search(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Option<Step>, MediaError> {
        let room = usize::try_from(self.end().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let searched = window.get(..window.len().min(room)).unwrap_or_default();
        if searched.len() < 8 && room >= 8 && !at_end {
            return Ok(Some(Step::Need(8)));
        }
        let words = searched.get(4..).unwrap_or_default().chunks_exact(4);
        let before = words.clone().take_while(|word| *word != b"hdlr").count();
        if before < words.len() {
            self.doing = Doing::Boxes;
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
            let step = match self.doing {
                Doing::Boxes => self.look(window, at_end, sink)?.map(Step::Need),
                Doing::Passing { until } if until <= self.at => {
                    self.doing = Doing::Boxes;
                    None
                }
                Doing::Passing { until } => Some(self.go(until.saturating_sub(self.at), window, sink)?),
                Doing::Listing { run, until } => Some(self.list(run, until, window, at_end, sink)?),
                Doing::Searching { from } if from > self.at => Some(self.go(from - self.at, window, sink)?),
                Doing::Searching { .. } => self.search(window, at_end, sink)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }
}
