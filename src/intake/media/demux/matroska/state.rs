//! The state of the demuxer between two steps.

use super::context::Context;
use super::payload::Payload;
use crate::intake::media::demux::{MAX_TRACKS, TrackId};
use crate::intake::media::{Container, MediaError};

/// The maximum number of tracks of any kind in one file.
pub(super) const MAX_ENTRIES: usize = 4 * MAX_TRACKS;

/// An open element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) context: Context,
    /// The end of the element. `None`: it ends before the first element that cannot be in it.
    pub(super) end: Option<u64>,
}

/// The kind of bytes at the start of the window.
#[derive(Clone)]
pub(super) enum State {
    /// The header of an element, or only its size if its id is known.
    Element,
    /// Bytes to skip; `left` remain. They are `junk` if they are in the place of packets.
    Pass { left: u64, junk: bool },
    /// The private data of a track; `left` bytes remain.
    Private { left: u64 },
    /// The header of a block of `size` bytes.
    Block { size: u64 },
    /// The packets of a block.
    Packets(Payload),
    /// Invalid bytes: the demuxer searches for the next element of a segment, and for blocks while `cluster` may continue.
    Lost { cluster: Option<Level> },
}

/// The result of reading the window.
pub(super) enum Moved {
    /// The number of bytes processed.
    By(usize),
    /// The number of bytes that the window must hold.
    Needs(usize),
    /// The end of the recording.
    Ended,
}

/// Returns the error for a feature that hides the length of the audio.
pub(super) fn feature(what: &'static str) -> MediaError {
    MediaError::Feature { container: Container::Webm, what }
}

/// Returns the first `count` of `bytes`, or all.
pub(super) fn part(bytes: &[u8], count: u64) -> &[u8] {
    usize::try_from(count).ok().and_then(|count| bytes.get(..count)).unwrap_or(bytes)
}

/// Returns the sink's id for a track of this file.
pub(super) fn own_id(index: usize) -> TrackId {
    TrackId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// Returns the sink's id for a track of the first file with packets in a later one.
pub(super) fn first_id(index: usize) -> TrackId {
    own_id(index.saturating_add(MAX_ENTRIES))
}
