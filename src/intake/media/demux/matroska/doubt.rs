//! Whether a demuxer could come to clusters that are inside packets.

use super::ebml::id;
use super::packets::Payload;
use super::watch::{self, Watch, to_u64};
use super::{Level, Matroska, Moved, PacketSink, State};
use crate::intake::media::{Container, MediaError};

/// How many ids of clusters may stand where they mean nothing. By chance there is one in 4 GiB.
const MAX_MEANINGLESS: u32 = 1000;

/// A block that is larger than this may have swallowed what follows by a size that is damaged.
pub(super) const MAX_PLAUSIBLE_BLOCK: u64 = 1 << 20;

/// What is known of how a demuxer could go astray.
#[expect(clippy::struct_excessive_bools, reason = "each is another doubt")]
#[derive(Debug, Default)]
pub(super) struct Doubts {
    watch: Watch,
    /// Whether an id was seen inside of something since the last element that was sound: there a demuxer goes on that finds
    /// what follows unsound.
    has_id_behind: bool,
    /// Whether a demuxer could be somewhere else by now.
    pub(super) has_diverged: bool,
    /// Whether one could stumble over what is well formed for all that is checked here.
    pub(super) is_fragile: bool,
    /// Whether one is still looking for the next cluster where blocks are counted again.
    pub(super) is_ahead: bool,
    /// Whether a packet holds what could be a cluster; or tracks.
    pub(super) has_hidden_cluster: bool,
    has_hidden_tracks: bool,
    /// Whether a demuxer could know other tracks.
    pub(super) has_other_tracks: bool,
    meaningless: u32,
    /// Where the first block ends that was given up for a cluster in it.
    given_up: Option<u64>,
}

impl Doubts {
    /// What follows is unsound.
    pub(super) fn lose(&mut self) {
        self.has_diverged |= self.has_id_behind;
    }

    /// Whether bytes could play more than once. `at` is the recording's end.
    pub(super) fn is_double(&self, at: u64) -> bool {
        // A block that was given up was whole, after all.
        self.has_hidden_cluster && (self.has_diverged || self.is_fragile)
            || self.has_other_tracks
            || self.given_up.is_some_and(|end| end <= at)
    }

    /// Whether a demuxer that is elsewhere could have come to tracks there.
    pub(super) fn reads_other_tracks(&self) -> bool {
        self.has_diverged && self.has_hidden_tracks
    }
}

impl Matroska {
    /// The head of an element that is where it should be; `sound`: it may be there.
    pub(super) fn aligned(
        &mut self,
        head: super::Head,
        length: usize,
        window: &[u8],
        sound: bool,
    ) -> Result<(), MediaError> {
        let bytes = window.get(..length).unwrap_or(window);
        if sound && super::ebml::is_top_level(head.id) {
            let id = usize::from(self.known_id.is_none()) * 4;
            self.watch(bytes.get(..id.saturating_sub(1)).unwrap_or_default(), window, self.at)?;
            self.doubts.watch = Watch::default();
            let behind = self.at.saturating_add(to_u64(id));
            self.watch(bytes.get(id..).unwrap_or_default(), window.get(id..).unwrap_or_default(), behind)?;
            self.doubts.is_ahead = false;
            self.seek_heads.found(head.id, behind.saturating_sub(4), self.has_cluster);
        } else {
            self.watch(bytes, window, self.at)?;
        }
        if sound {
            self.doubts.has_id_behind = false;
        }
        Ok(())
    }

    /// Bytes that are not passed over, but cannot hold a cluster: packets, heads. They are at `at`, and begin `window`.
    pub(super) fn watch(&mut self, bytes: &[u8], window: &[u8], at: u64) -> Result<(), MediaError> {
        let mut from = 0;
        while let Some((id, end)) = self.doubts.watch.find(bytes.get(from..).unwrap_or_default()) {
            from += end;
            self.note(id, window.get(from..).unwrap_or_default(), at.saturating_add(to_u64(from)), false)?;
        }
        Ok(())
    }

    /// An id inside of something that ends at `at`, and what follows it. Says whether that could be a cluster. `found`: that
    /// will be known, and is no doubt.
    pub(super) fn note(&mut self, id: u32, behind: &[u8], at: u64, found: bool) -> Result<bool, MediaError> {
        if matches!(id, id::TRACKS | id::SEEK_HEAD) {
            self.seek_heads.trap(at.saturating_sub(4));
        }
        let doubts = &mut self.doubts;
        doubts.has_id_behind = true;
        doubts.has_diverged |= doubts.is_ahead;
        doubts.has_hidden_tracks |= id == id::TRACKS;
        if id != id::CLUSTER || doubts.has_hidden_cluster && !found {
            return Ok(false);
        }
        let behind = behind.get(..watch::LOOKAHEAD).unwrap_or(behind);
        let plausible = watch::is_plausible(behind, |number| self.has_track(number));
        self.doubts.has_hidden_cluster |= plausible && !found;
        self.doubts.meaningless += u32::from(!plausible);
        if self.doubts.meaningless > MAX_MEANINGLESS {
            return Err(MediaError::Overlapping { container: Container::Webm });
        }
        Ok(plausible)
    }

    /// Bytes that are passed over, and what they begin. Says how many are: up to a cluster in them.
    pub(super) fn pass(
        &mut self,
        bytes: &[u8],
        window: &[u8],
        junk: bool,
        sink: &mut dyn PacketSink,
    ) -> Result<usize, MediaError> {
        let (mut from, mut count) = (0, bytes.len());
        while let Some((id, end)) = self.doubts.watch.find(bytes.get(from..).unwrap_or_default()) {
            from += end;
            let at = self.at.saturating_add(to_u64(from));
            if self.note(id, window.get(from..).unwrap_or_default(), at, true)? && self.can_jump() {
                self.jump(sink)?;
                count = from;
                break;
            }
        }
        if junk {
            sink.stray(watch::unpadded(bytes.get(..count).unwrap_or(bytes)));
        }
        Ok(count)
    }

    /// Where in the part `bytes` of a block that is too large to be believed the id of a cluster ends.
    pub(super) fn cluster_in(&mut self, bytes: &[u8], window: &[u8], at: u64) -> Result<Option<usize>, MediaError> {
        let mut from = 0;
        while let Some((id, end)) = self.doubts.watch.find(bytes.get(from..).unwrap_or_default()) {
            from += end;
            let behind = at.saturating_add(to_u64(from));
            if self.note(id, window.get(from..).unwrap_or_default(), behind, true)? {
                return Ok(Some(from));
            }
        }
        Ok(None)
    }

    /// Whether clusters can be taken apart yet.
    pub(super) fn can_jump(&self) -> bool {
        !(self.tracks.is_empty() && self.first.is_empty())
    }

    /// Goes on with the size of a cluster whose id was just seen.
    pub(super) fn jump(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        self.doubts.has_diverged = true;
        self.give_up(sink)?;
        self.found(id::CLUSTER);
        Ok(())
    }

    /// A block that is too large to be believed holds a cluster: it is given up for that.
    pub(super) fn give_up_block(
        &mut self,
        payload: Payload,
        end: u64,
        sink: &mut dyn PacketSink,
    ) -> Result<(), MediaError> {
        payload.cut(sink);
        self.doubts.given_up = Some(self.doubts.given_up.map_or(end, |known| known.min(end)));
        self.give_up(sink)?;
        self.found(id::CLUSTER);
        Ok(())
    }

    /// What follows is no element, or none that could be here.
    pub(super) fn lose(&mut self, sink: &mut dyn PacketSink) -> Result<Moved, MediaError> {
        self.doubts.lose();
        let cluster = self.levels.iter().rfind(|level| level.context == super::Context::Cluster).copied();
        self.give_up(sink)?;
        self.known_id = None;
        self.state = State::Lost { cluster };
        Ok(Moved::By(0))
    }

    /// All that is open is over, and what follows is in a segment that has no end.
    pub(super) fn give_up(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        while !self.levels.is_empty() {
            self.close(sink)?;
        }
        self.levels.push(Level { context: super::Context::Segment, end: None });
        Ok(())
    }

    /// An element of a segment was found, and its id read.
    pub(super) fn found(&mut self, id: u32) {
        self.known_id = Some(id);
        self.state = State::Element;
    }

    /// Whether packets of `number` are known here.
    pub(super) fn has_track(&self, number: u64) -> bool {
        self.tracks.iter().chain(&self.first).any(|track| track.number == number)
    }

    /// The first id among `bytes`.
    pub(super) fn next_id(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
        self.doubts.watch.find(bytes)
    }

    /// Only `bytes` were seen, of more.
    pub(super) fn seen_only(&mut self, bytes: &[u8]) {
        self.doubts.watch = Watch::default();
        let last = bytes.last_chunk::<3>().map_or(bytes, |last| &last[..]);
        let _ = self.doubts.watch.find(last);
    }
}
