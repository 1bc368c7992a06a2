//! The demuxer: what it knows between two steps. Its methods are in the files of their tasks.

use super::doubts::Doubts;
use super::seek::SeekHeads;
use super::state::{Level, State};
use super::tracks::{Entry, Track};
use crate::intake::media::demux::TrackId;

/// A demuxer for Matroska.
#[expect(clippy::struct_excessive_bools, reason = "each is another fact")]
#[derive(Clone)]
pub(in super::super::super) struct Matroska {
    /// The offset of the window in the recording.
    pub(super) at: u64,
    pub(super) state: State,
    pub(super) levels: Vec<Level>,
    /// The id of the next element, if already read.
    pub(super) known_id: Option<u32>,
    /// The track whose description is being read.
    pub(super) entry: Option<Entry>,
    pub(super) tracks: Vec<Track>,
    /// The tracks of the first of several joined files; `first_used` marks those with packets in the current file. ffmpeg
    /// decodes all files with these tracks.
    pub(super) first: Vec<Track>,
    pub(super) first_used: Vec<bool>,
    /// True after the first cluster of this file; `has_early_cluster` is true if a cluster preceded all tracks.
    pub(super) has_cluster: bool,
    pub(super) has_early_cluster: bool,
    pub(super) files: u32,
    /// The duration of a tick in nanoseconds; `cluster_time` is the time of the cluster in ticks.
    pub(super) scale: u32,
    pub(super) cluster_time: i64,
    /// The track of this file that the last block belongs to, if it is audio.
    pub(super) last_block: Option<TrackId>,
    pub(super) doubts: Doubts,
    pub(super) seek_heads: SeekHeads,
    /// True from bytes that belong to no element up to the next element in its place.
    pub(super) is_lost: bool,
    /// True if the recording is live: a search cannot wait for what comes much later.
    pub(super) is_live: bool,
}

impl Matroska {
    pub(in super::super::super) fn new() -> Self {
        Self {
            at: 0,
            state: State::Element,
            levels: Vec::new(),
            known_id: None,
            entry: None,
            tracks: Vec::new(),
            first: Vec::new(),
            first_used: Vec::new(),
            has_cluster: false,
            has_early_cluster: false,
            files: 0,
            scale: 1_000_000,
            cluster_time: 0,
            last_block: None,
            doubts: Doubts::default(),
            seek_heads: SeekHeads::default(),
            is_lost: false,
            is_live: false,
        }
    }

    /// Creates a demuxer of a recording that is live.
    pub(in super::super::super) fn live() -> Self {
        Self { is_live: true, ..Self::new() }
    }

    /// Returns the number of bytes held of the descriptions of tracks.
    pub(in super::super::super) fn held(&self) -> usize {
        let tracks = self.tracks.iter().chain(&self.first).filter_map(|track| track.audio.as_ref());
        let described: usize = tracks.map(|audio| audio.params.setup.len() + audio.stripped.len()).sum();
        described + self.entry.as_ref().map_or(0, Entry::held)
    }

    /// Returns true if the bytes read last belong to no element.
    pub(in super::super::super) fn is_lost(&self) -> bool {
        self.is_lost
    }
}
