//! The doubts about a file: the ways in which a demuxer could reach clusters inside packets.

use super::watch::Watch;

/// The largest block whose size is believed. A larger block may have a damaged size that covers the elements after it.
pub(super) const MAX_PLAUSIBLE_BLOCK: u64 = 1 << 20;

/// The known reasons that another demuxer could read other clusters than this one.
#[expect(clippy::struct_excessive_bools, reason = "each is another doubt")]
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts {
    pub(super) watch: Watch,
    /// True if an id appeared inside an element since the last valid element. A demuxer that then meets invalid bytes
    /// continues at that id.
    pub(super) has_id_behind: bool,
    /// True if another demuxer could be at another position by now.
    pub(super) has_diverged: bool,
    /// True if another demuxer could fail on elements that pass all checks here.
    pub(super) is_fragile: bool,
    /// True if another demuxer may still be searching for the next cluster while this one counts blocks again.
    pub(super) is_ahead: bool,
    /// True if a packet holds a plausible cluster; `has_hidden_tracks` is true if tracks are hidden inside an element.
    pub(super) has_hidden_cluster: bool,
    pub(super) has_hidden_tracks: bool,
    /// True if another demuxer could know other tracks.
    pub(super) has_other_tracks: bool,
    pub(super) meaningless: u32,
    /// The end of the first block abandoned for a cluster in it.
    pub(super) given_up: Option<u64>,
}

impl Doubts {
    /// Records that the following bytes are invalid.
    pub(super) fn lose(&mut self) {
        self.has_diverged |= self.has_id_behind;
    }

    /// Returns true if bytes could play more than once. `at` is the end of the recording.
    pub(super) fn is_double(&self, at: u64) -> bool {
        // The last condition: an abandoned block was whole after all.
        self.has_hidden_cluster && (self.has_diverged || self.is_fragile)
            || self.has_other_tracks
            || self.given_up.is_some_and(|end| end <= at)
    }

    /// Returns true if a demuxer that has diverged could have read hidden tracks.
    pub(super) fn reads_other_tracks(&self) -> bool {
        self.has_diverged && self.has_hidden_tracks
    }
}
