//! The search for what raises a doubt, in each element and each packet.

use super::context::Context;
use super::demuxer::Matroska;
use super::ebml::{self, Head, id};
use super::payload::Payload;
use super::state::{Level, Moved, State};
use super::watch::{self, Watch, to_u64};
use crate::intake::media::demux::PacketSink;
use crate::intake::media::{Container, MediaError};

/// The maximum number of meaningless cluster ids. By chance there is one in 4 GiB.
const MAX_MEANINGLESS: u32 = 1000;

impl Matroska {
    /// Processes the header of an element at the expected position; `sound`: the element is valid there.
    pub(super) fn aligned(&mut self, head: Head, length: usize, window: &[u8], sound: bool) -> Result<(), MediaError> {
        let bytes = window.get(..length).unwrap_or(window);
        if sound && ebml::is_top_level(head.id) {
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
            self.is_lost = false;
        }
        Ok(())
    }

    /// Searches bytes of packets and headers, which cannot legitimately hold a cluster, for ids. `bytes` are at `at` and begin
    /// `window`.
    pub(super) fn watch(&mut self, bytes: &[u8], window: &[u8], at: u64) -> Result<(), MediaError> {
        let mut from = 0;
        while let Some((id, end)) = self.doubts.watch.find(bytes.get(from..).unwrap_or_default()) {
            from += end;
            self.note(id, window.get(from..).unwrap_or_default(), at.saturating_add(to_u64(from)), false)?;
        }
        Ok(())
    }

    /// Records an id inside an element. The id ends at `at`, and `behind` are the bytes after it. Returns true if they could
    /// be a cluster. `found`: this demuxer reads that cluster, so the cluster raises no doubt.
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

    /// Searches skipped `bytes`, which begin `window`, for a cluster. Returns the number of bytes up to the end of the
    /// cluster's id, or of all bytes.
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

    /// Returns the end of the id of a cluster in `bytes`, a part of a block too large to believe.
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

    /// Returns true if tracks are known, so that clusters are readable.
    pub(super) fn can_jump(&self) -> bool {
        !(self.tracks.is_empty() && self.first.is_empty())
    }

    /// Continues with the size of a cluster after its id.
    pub(super) fn jump(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        self.doubts.has_diverged = true;
        self.give_up(sink)?;
        self.found(id::CLUSTER);
        Ok(())
    }

    /// Abandons a block too large to believe for a cluster in it.
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

    /// Begins the search for the next element, since the following bytes are no element that could be here.
    pub(super) fn lose(&mut self, sink: &mut dyn PacketSink) -> Result<Moved, MediaError> {
        self.doubts.lose();
        self.is_lost = true;
        let cluster = self.levels.iter().rfind(|level| level.context == Context::Cluster).copied();
        self.give_up(sink)?;
        self.known_id = None;
        self.state = State::Lost { cluster };
        Ok(Moved::By(0))
    }

    /// Closes all open elements and opens a segment without an end.
    pub(super) fn give_up(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        while !self.levels.is_empty() {
            self.close(sink)?;
        }
        self.levels.push(Level { context: Context::Segment, end: None });
        Ok(())
    }

    /// Continues with an element of a segment whose id has been read.
    pub(super) fn found(&mut self, id: u32) {
        self.known_id = Some(id);
        self.state = State::Element;
    }

    /// Returns true if the track `number` is known.
    pub(super) fn has_track(&self, number: u64) -> bool {
        self.tracks.iter().chain(&self.first).any(|track| track.number == number)
    }

    /// Returns the first id in `bytes`, and its end.
    pub(super) fn next_id(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
        self.doubts.watch.find(bytes)
    }

    /// Resets the search for ids to the end of `bytes`, when only these of the visible bytes are processed.
    pub(super) fn seen_only(&mut self, bytes: &[u8]) {
        self.doubts.watch = Watch::default();
        let last = bytes.last_chunk::<3>().map_or(bytes, |last| &last[..]);
        let _ = self.doubts.watch.find(last);
    }
}
