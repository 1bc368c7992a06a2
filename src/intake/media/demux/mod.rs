//! Demuxers, which split containers into tracks, packets and stray bytes.
//!
//! A [`Demuxer`] reads no file. The caller shows it a window of the recording, and each step returns the number of bytes
//! processed, so the same code serves a complete recording and one that is still arriving. [`MAX_WINDOW`] bounds its memory
//! for any file. It hands tracks and packets to a [`PacketSink`].
//!
//! - `aiff`, `flac`, `ogg`, `wav`, `matroska`: one container each
//! - `elementary`: bare frames, as in MP3

mod aiff;
mod elementary;
mod flac;
pub(super) mod matroska;
mod ogg;
pub(super) mod wav;

pub(super) use aiff::Aiff;
pub(super) use elementary::Elementary;
pub(super) use flac::Flac;
pub(super) use matroska::Matroska;
pub(super) use ogg::Ogg;
pub(super) use wav::Wav;

use super::MediaError;
use super::codec::{TrackParams, Wants};

/// The largest window that a demuxer may ask for, in bytes.
pub(in super::super) const MAX_WINDOW: usize = 128 * 1024;

/// The maximum number of audio tracks in a recording. A recording with more is refused.
pub(in super::super) const MAX_TRACKS: usize = 64;

/// The result of one step of a demuxer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// The number of bytes from the start of the window that are processed; never zero. It may exceed the window: the
    /// reader skips the rest unread.
    Advance(u64),
    /// The number of bytes that the window must hold: more than it does, and at most [`MAX_WINDOW`]. Never returned when
    /// `at_end`.
    Need(usize),
    /// The end of the part that matters.
    End,
}

/// A parser of a container, fed with its bytes.
pub(in super::super) trait Demuxer {
    /// Reads from `window`, the bytes after those already processed. `at_end`: the recording ends with the window.
    ///
    /// A call with an empty window and `at_end` is the last one: the demuxer closes every open packet.
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError>;
}

/// The number that a demuxer gives a track of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct TrackId(pub(in super::super) u32);

/// The start time of a packet by the container's clock, in `ticks` of `numerator / denominator` seconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Timestamp {
    pub(in super::super) ticks: i64,
    pub(in super::super) numerator: u32,
    pub(in super::super) denominator: u32,
}

/// The end of an Ogg page, stated before the packets that end in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct PageEnd {
    /// The position of the last sample of the packets that end in the page, by the codec's clock.
    pub(in super::super) granule: u64,
    /// True if the stream ends with the page.
    pub(in super::super) is_last: bool,
    /// True if the page before is missing.
    pub(in super::super) is_after_gap: bool,
}

/// A receiver of the tracks and packets that a demuxer finds. Packets of different tracks may be interleaved, but a packet
/// ends before the next packet of its track begins.
pub(in super::super) trait PacketSink {
    /// Begins an audio track. A codec whose duration cannot be measured is an error that names it. A second call for an id
    /// replaces the parameters of the track and keeps the length measured so far.
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError>;

    /// Begins a packet of `size` bytes. Returns the part of its bytes that the demuxer must show.
    fn begin(&mut self, id: TrackId, size: u64, at: Option<Timestamp>) -> Wants;

    /// Takes the next bytes of the packet.
    fn bytes(&mut self, id: TrackId, bytes: &[u8]);

    /// Counts the next bytes of the packet, which the sink did not ask for and does not see.
    fn unseen(&mut self, id: TrackId, count: u64);

    /// Ends the packet, whole or cut off.
    fn end(&mut self, id: TrackId);

    /// Counts bytes that are in no packet and may be sound.
    fn stray(&mut self, count: u64);

    /// Ends the recording so far. Players play the following tracks after it, whatever their ids: a chained stream, or a
    /// second file after the first.
    fn link(&mut self);

    /// Takes the position at which the packets that follow end. A measurement counts packets whole and ignores it, like the
    /// two below.
    fn ends_at(&mut self, _id: TrackId, _end: PageEnd) {}

    /// Takes the length of the padding at the end of the last packet, in nanoseconds.
    fn padding(&mut self, _id: TrackId, _nanos: u64) {}

    /// Takes the length of the sound at the start of a track that is not to be played, in nanoseconds.
    fn delay(&mut self, _id: TrackId, _nanos: u64) {}
}
