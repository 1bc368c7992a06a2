//! Containers taken apart: bytes in; tracks, packets and what is left over out.
//!
//! A [`Demuxer`] reads no file. It is shown a window of the recording and says how far it has come, so the same code serves a
//! recording that is whole and one that is still arriving, and its memory is bounded by [`MAX_WINDOW`], whatever the file
//! says. What it finds goes to a [`PacketSink`].
//!
//! - `flac`, `ogg`, `wav`, `matroska`: one container each
//! - `elementary`: bare frames, as MP3 has them

mod elementary;
mod flac;
mod matroska;
mod ogg;
pub(super) mod wav;

pub(super) use elementary::Elementary;
pub(super) use flac::Flac;
pub(super) use matroska::Matroska;
pub(super) use ogg::Ogg;
pub(super) use wav::Wav;

use super::MediaError;
use super::codec::{TrackParams, Wants};

/// The largest window that a demuxer may ask for, in bytes.
pub(in super::super) const MAX_WINDOW: usize = 128 * 1024;

/// The largest number of audio tracks that a recording may have. More are refused.
pub(in super::super) const MAX_TRACKS: usize = 64;

/// How a demuxer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// So many bytes from the window's start on are done with. It may be more than the window holds: the rest is passed over
    /// unread. Never zero.
    Advance(u64),
    /// The window has to hold this many bytes, at most [`MAX_WINDOW`], and more than it does. Never said when `at_end`.
    Need(usize),
    /// Nothing that follows matters.
    End,
}

/// A container's parser, fed with its bytes.
pub(in super::super) trait Demuxer {
    /// Reads from `window`, the bytes that follow what was advanced over. `at_end`: the recording ends with them.
    ///
    /// An empty window with `at_end` is the last call: whatever is open is closed.
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError>;
}

/// One track of a recording, as its demuxer counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct TrackId(pub(in super::super) u32);

/// When a packet begins, by its container's clock: `ticks` of `numerator / denominator` seconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Timestamp {
    pub(in super::super) ticks: i64,
    pub(in super::super) numerator: u32,
    pub(in super::super) denominator: u32,
}

/// Takes what a demuxer finds. Packets of different tracks may be interleaved, but a packet is whole before the next of its
/// track begins.
pub(in super::super) trait PacketSink {
    /// An audio track. A codec whose time cannot be counted is refused by name. A second call for the same id replaces its
    /// parameters, and what was counted stays.
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError>;

    /// A packet of `size` bytes begins. The answer says which of its bytes have to be shown.
    fn begin(&mut self, id: TrackId, size: u64, at: Option<Timestamp>) -> Wants;

    /// The packet's next bytes.
    fn bytes(&mut self, id: TrackId, bytes: &[u8]);

    /// The packet's next bytes, which were not asked for and are not shown.
    fn unseen(&mut self, id: TrackId, count: u64);

    /// The packet is over, be it whole or cut off.
    fn end(&mut self, id: TrackId);

    /// These many bytes are in no packet, and are not known to be anything but sound.
    fn stray(&mut self, count: u64);

    /// What was recorded so far is over, and what follows is played after it, whatever its tracks are called: a chained
    /// stream, a second file behind the first.
    fn link(&mut self);
}
