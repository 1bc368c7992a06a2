//! The packets of one track in the order of time, a few at each call.

use std::io::{Read, Seek};

use super::edits;
use super::error::{cut_off, feature};
use super::playing::Playing;
use super::tables::Samples;
use super::walk::{Index, Mp4};
use crate::intake::media::packets::collector::Collector;
use crate::intake::media::reader::{Reader, Stepped};
use crate::intake::media::{Container, MediaError};

/// A reader of the packets of one track: those of the movie's tables, then those of its fragments, as measuring counts both.
pub(in crate::intake::media) struct Mp4Packets<S> {
    state: State<S>,
    bytes: u64,
    /// True once the edit list was handed on.
    is_edited: bool,
}

enum State<S> {
    /// On the way through the boxes of the file. `is_second`: the index may be in a box marked as free.
    Walk {
        reader: Reader<S>,
        walk: Box<Mp4>,
        tables: TablesFirst,
        is_second: bool,
    },
    /// Behind the boxes: samples of fragments whose bytes had passed when they were listed, then those of the tables.
    Rest {
        source: S,
        behind: Option<Box<Playing>>,
        tables: Option<Box<Playing>>,
    },
    Ended,
}

/// The tables of a file that has fragments too: they play before.
enum TablesFirst {
    /// No fragment has come.
    Waiting,
    Playing(Box<Playing>),
    Played,
}

impl<S: Read + Seek> Mp4Packets<S> {
    pub(in crate::intake::media) fn new(source: S, bytes: u64) -> Result<Self, MediaError> {
        let reader = Reader::new(source, 0, bytes)?;
        let state = State::Walk { reader, walk: Box::default(), tables: TablesFirst::Waiting, is_second: false };
        Ok(Self { state, bytes, is_edited: false })
    }

    /// Hands the next packets to `sink`. Returns `false` at the end.
    pub(in crate::intake::media) fn advance(&mut self, sink: &mut Collector) -> Result<bool, MediaError> {
        match &mut self.state {
            State::Walk { reader, walk, tables, .. } => {
                if walk.has_fragments() || walk.index() == Index::Whole {
                    // The first fragment has not handed on a packet.
                    hand_on_edits(&mut self.is_edited, reader, walk, sink)?;
                }
                if walk.has_fragments() && play_tables(tables, reader, walk, self.bytes, sink)? {
                    return Ok(true);
                }
                if reader.step(walk.as_mut(), sink)? == Stepped::Ended {
                    self.end_walk(sink)?;
                }
                Ok(true)
            }
            State::Rest { source, behind, tables } => {
                for playing in [behind, tables].into_iter().flatten() {
                    if playing.advance(source, self.bytes, sink)? {
                        return Ok(true);
                    }
                }
                self.state = State::Ended;
                Ok(false)
            }
            State::Ended => Ok(false),
        }
    }

    fn end_walk(&mut self, sink: &mut Collector) -> Result<(), MediaError> {
        let State::Walk { reader, walk, tables, is_second } = &mut self.state else { return Ok(()) };
        if walk.index() == Index::Missing {
            if *is_second {
                return Err(MediaError::Unfinished {
                    container: Container::Mp4,
                    missing: "its index (moov) is missing",
                });
            }
            reader.restart()?;
            (**walk, *is_second) = (Mp4::even_in_free(), true);
            return Ok(());
        }
        hand_on_edits(&mut self.is_edited, reader, walk, sink)?;
        let id = sink.selected().ok_or_else(cut_off)?;
        let track = walk.track(id).ok_or_else(cut_off)?;
        let rest = match tables {
            TablesFirst::Waiting => reader.aside(|source| {
                track.tables.arrived(source)?;
                Samples::new(source, track, false)
            })?,
            TablesFirst::Playing(_) | TablesFirst::Played => None,
        };
        let tables = rest.map(|samples| Box::new(Playing::tables(track, samples)));
        let behind = walk.take_behind(id).map(|(track, queue)| Box::new(Playing::behind(track, queue)));
        if let State::Walk { reader, .. } = std::mem::replace(&mut self.state, State::Ended) {
            self.state = State::Rest { source: reader.into_source(), behind, tables };
        }
        Ok(())
    }
}

impl Mp4 {
    /// Hands on the parts of the selected track to play, before the packets of the first fragment. `head` holds the bytes
    /// before it.
    pub(in crate::intake::media) fn hand_on_edits<S: Read + Seek>(
        &self,
        head: &mut S,
        sink: &mut Collector,
    ) -> Result<(), MediaError> {
        let Some(track) = sink.selected().and_then(|id| self.track(id)) else { return Ok(()) };
        if let Some(mut samples) = Samples::new(head, track, false)?
            && samples.next(head)?.is_some()
        {
            return Err(feature("has sound before its first fragment, so it cannot be decoded while it arrives"));
        }
        sink.edits_first(edits::parts(head, track)?);
        Ok(())
    }
}

/// Hands on the parts of the selected track to play, once. An error of the source changes nothing.
fn hand_on_edits<S: Read + Seek>(
    is_done: &mut bool,
    reader: &mut Reader<S>,
    walk: &Mp4,
    sink: &mut Collector,
) -> Result<(), MediaError> {
    if *is_done {
        return Ok(());
    }
    if let Some(track) = sink.selected().and_then(|id| walk.track(id)) {
        let parts = reader.aside(|source| {
            track.tables.arrived(source)?;
            edits::parts(source, track)
        })?;
        sink.edits_first(parts);
        *is_done = true;
    }
    Ok(())
}

/// Plays the tables of a file with fragments. Returns `false` once they are played.
fn play_tables<S: Read + Seek>(
    tables: &mut TablesFirst,
    reader: &mut Reader<S>,
    walk: &Mp4,
    bytes: u64,
    sink: &mut Collector,
) -> Result<bool, MediaError> {
    if let TablesFirst::Waiting = tables {
        let Some(track) = sink.selected().and_then(|id| walk.track(id)) else { return Ok(false) };
        let samples = reader.aside(|source| {
            track.tables.arrived(source)?;
            Samples::new(source, track, false)
        })?;
        *tables = match samples {
            Some(samples) => TablesFirst::Playing(Box::new(Playing::tables(track, samples))),
            None => TablesFirst::Played,
        };
    }
    if let TablesFirst::Playing(playing) = tables {
        if reader.aside(|source| playing.advance(source, bytes, sink))? {
            return Ok(true);
        }
        *tables = TablesFirst::Played;
    }
    Ok(false)
}
