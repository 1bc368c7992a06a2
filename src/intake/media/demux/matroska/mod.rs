//! Matroska and `WebM`: clusters of blocks of packets (RFC 9559).
//!
//! This demuxer searches skipped elements (indexes, padding, unknown elements) for clusters, as a player does after invalid
//! bytes, and counts the clusters that it finds. So no size can hide a cluster. Clusters inside packets do not count. If
//! anything could lead a player to them, the file is refused: the same bytes would play many times.
//!
//! - `ebml`: reads ids, sizes and numbers
//! - `demuxer`: what is known between two steps; `state`: what the window begins with, and the open elements
//! - `context`: the permitted children of elements
//! - `levels`: the start and the end of files, segments and tracks
//! - `tracks`: the description of each track
//! - `blocks`, `payload`, `packets`: split blocks into packets and hand them on
//! - `watch`, `doubts`, `doubt`, `seek`: find clusters and tracks where none belong, and judge if a demuxer could reach them
//! - `claim`: the duration that the header states
//! - `resync`: searches for the next element after invalid bytes

mod blocks;
mod claim;
mod context;
mod demuxer;
mod doubt;
mod doubts;
mod ebml;
mod levels;
mod packets;
mod payload;
mod resync;
mod seek;
mod state;
#[cfg(test)]
mod tests;
mod tracks;
mod watch;

pub(in super::super) use claim::claim;
pub(in super::super) use demuxer::Matroska;
pub(super) use tracks::vorbis_setup;

use super::super::{Container, MediaError};
use super::{Demuxer, PacketSink, Step};
use context::Context;
use ebml::{Head, Read, id};
use state::{Level, Moved, State, feature, part};
use tracks::Entry;
use watch::to_u64;

/// The size of the id of a segment's child.
const ID: usize = 4;

impl Matroska {
    fn read_window(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Moved, MediaError> {
        match &mut self.state {
            State::Element => self.element(window, at_end, sink),
            State::Block { size } => {
                let size = *size;
                self.block(size, window, at_end, sink)
            }
            State::Private { left: 0 } | State::Pass { left: 0, .. } => {
                self.state = State::Element;
                Ok(Moved::By(0))
            }
            // At the end, the recording ends inside an element.
            _ if window.is_empty() => {
                if at_end {
                    self.finish(sink)?;
                    Ok(Moved::Ended)
                } else {
                    Ok(Moved::Needs(1))
                }
            }
            State::Pass { left, junk } => {
                let (shown, junk) = (part(window, *left), *junk);
                *left -= to_u64(shown.len());
                Ok(Moved::By(self.pass(shown, window, junk, sink)?))
            }
            State::Private { left } => {
                let shown = part(window, *left);
                *left -= to_u64(shown.len());
                if let Some(entry) = &mut self.entry {
                    entry.private.push(shown);
                }
                self.watch(shown, window, self.at)?;
                Ok(Moved::By(shown.len()))
            }
            State::Packets(_) => self.packets(window, sink),
            State::Lost { cluster } => {
                let cluster = *cluster;
                Ok(self.lost(cluster, window, at_end, sink))
            }
        }
    }

    /// Reads the header of an element.
    fn element(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Moved, MediaError> {
        while self.levels.last().is_some_and(|level| level.end == Some(self.at)) {
            self.close(sink)?;
        }
        if window.is_empty() {
            if at_end {
                self.finish(sink)?;
                return Ok(Moved::Ended);
            }
            return Ok(Moved::Needs(1));
        }
        let (head, length) = match ebml::head(window, self.known_id) {
            Read::Whole(head, length) => (head, length),
            Read::Short if at_end => return Ok(Moved::By(window.len())),
            Read::Short => return Ok(Moved::Needs(ebml::MAX_HEAD)),
            Read::Bad => return self.lose(sink),
        };
        if self.begins_file(head) {
            return self.file(head, length, window, sink);
        }
        let context = self.context();
        let known = context.holds(head.id);
        if !known && !matches!(head.id, id::VOID | id::CRC) && self.ends_level(head.id) {
            self.close(sink)?;
            return Ok(Moved::By(0));
        }
        if !known && ebml::is_top_level(head.id) {
            // The demuxer skips this element but not the elements in it.
            let behind = window.get(ID..).unwrap_or_default();
            let ends = self.at.saturating_add(to_u64(ID));
            if self.note(head.id, behind, ends, true)? && self.can_jump() {
                self.jump(sink)?;
                return Ok(Moved::By(ID));
            }
        }
        let end = head.size.map(|size| self.at.saturating_add(to_u64(length)).saturating_add(size));
        match (end, self.levels.last().and_then(|level| level.end)) {
            (Some(end), Some(outer)) if end > outer => return self.lose(sink),
            (None, Some(_)) => return self.lose(sink),
            _ => {}
        }
        match head.size {
            None if !context.has_children(head.id) => return self.lose(sink),
            Some(size) if known && !context::is_size(head.id, size) => return self.lose(sink),
            _ => {}
        }
        // A small element is read whole, or not at all if the recording ends in it.
        let small = head.size.filter(|_| known).and_then(|size| context::small(head.id, size));
        let small = match small.map(|small| length + small) {
            Some(needed) if window.len() < needed && !at_end => return Ok(Moved::Needs(needed)),
            needed => needed.and_then(|needed| window.get(length..needed)),
        };
        self.aligned(head, length, window, known || matches!(head.id, id::VOID | id::CRC))?;
        self.is_lost |= !context.expects(head, known);
        self.known_id = None;
        if let Some(value) = small {
            self.set(head.id, value);
            if head.id == id::DISCARD_PADDING
                && let Some(of) = self.last_block
            {
                // A negative number means padding at the beginning, which no writer uses: nothing is left out then.
                sink.padding(of, u64::try_from(ebml::signed(value)).unwrap_or_default());
            }
        }
        self.open(head, end, context, known)?;
        Ok(Moved::By(length))
    }

    /// Selects the state for the content of an element that is not read at once.
    fn open(&mut self, head: Head, end: Option<u64>, context: Context, known: bool) -> Result<(), MediaError> {
        let size = head.size.unwrap_or_default();
        self.state = match head.id {
            id::SIMPLE_BLOCK | id::BLOCK if known => State::Block { size },
            id::CODEC_PRIVATE if known => {
                if let Some(entry) = &mut self.entry {
                    entry.private = tracks::Private::default();
                }
                State::Private { left: size }
            }
            id if known
                && context.has_children(id)
                && (head.size.is_none() || Context::from_id(id) != Context::Other) =>
            {
                self.enter(id, end);
                State::Element
            }
            id::COMPRESSION_SETTINGS if known && size > tracks::MAX_STRIPPED => {
                return Err(feature("strips more than 4 KiB off each packet"));
            }
            id => {
                self.doubts.is_fragile |= id == id::BLOCK_ADDITIONS;
                let junk = !known && context.has_packets() && !matches!(id, id::VOID | id::CRC | id::EBML);
                match size {
                    0 => State::Element,
                    left => State::Pass { left, junk },
                }
            }
        };
        Ok(())
    }

    /// Begins an element with children.
    fn enter(&mut self, id: u32, end: Option<u64>) {
        let context = Context::from_id(id);
        match context {
            Context::Cluster => {
                // A demuxer that has diverged may have read other tracks before these.
                self.doubts.has_other_tracks |=
                    !self.has_cluster && self.files == 1 && self.doubts.reads_other_tracks();
                self.has_cluster = true;
                self.has_early_cluster |= self.tracks.is_empty() && self.first.is_empty();
                self.cluster_time = 0;
            }
            Context::TrackEntry => self.entry = Some(Entry::default()),
            Context::Seek => self.seek_heads.begin(),
            _ => {
                if let Some(entry) = &mut self.entry {
                    entry.open(id);
                }
            }
        }
        self.levels.push(Level { context, end });
    }

    /// Reads a small element.
    fn set(&mut self, id: u32, value: &[u8]) {
        match id {
            id::TIMESTAMP => self.cluster_time = i64::try_from(ebml::unsigned(value)).unwrap_or_default(),
            id::TIMESTAMP_SCALE => self.scale = u32::try_from(ebml::unsigned(value)).unwrap_or(1_000_000),
            id::SEEK_ID => self.seek_heads.set_id(ebml::unsigned(value)),
            id::SEEK_POSITION => self.seek_heads.set_position(ebml::unsigned(value)),
            _ => {
                if let Some(entry) = &mut self.entry {
                    entry.set(id, value);
                }
            }
        }
    }

    fn context(&self) -> Context {
        self.levels.last().map_or(Context::Root, |level| level.context)
    }

    /// Returns true if the size of the innermost element is unknown and `id` can be in an outer element, so that it ends here.
    fn ends_level(&self, id: u32) -> bool {
        let Some((last, outer)) = self.levels.split_last() else { return false };
        last.end.is_none() && outer.iter().any(|level| level.context.holds(id))
    }

    /// Closes all elements at the end of the recording.
    fn finish(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        if let State::Packets(mut payload) = std::mem::replace(&mut self.state, State::Element) {
            payload.empty(self, sink);
            payload.cut(sink);
        }
        // A demuxer searches after the last valid element for the missing rest.
        if self.levels.iter().any(|level| level.end.is_some_and(|end| end > self.at)) {
            self.doubts.lose();
        }
        while !self.levels.is_empty() {
            self.close(sink)?;
        }
        if self.doubts.is_double(self.at) || self.seek_heads.misleads() {
            return Err(MediaError::Overlapping { container: Container::Webm });
        }
        Ok(())
    }
}

impl Demuxer for Matroska {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let mut used = 0;
        loop {
            let rest = window.get(used..).unwrap_or_default();
            match self.read_window(rest, at_end, sink)? {
                Moved::By(count) => {
                    used += count;
                    self.at = self.at.saturating_add(to_u64(count));
                    if used >= window.len() && used > 0 {
                        return Ok(Step::Advance(to_u64(used)));
                    }
                }
                Moved::Needs(_) | Moved::Ended if used > 0 => return Ok(Step::Advance(to_u64(used))),
                Moved::Needs(count) => return Ok(Step::Need(count)),
                Moved::Ended => return Ok(Step::End),
            }
        }
    }
}
