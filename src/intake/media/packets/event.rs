//! The events of a recording.

use crate::intake::media::codec::TrackParams;

/// A part of a recording, in the order of time.
#[derive(Debug, Clone, Copy)]
pub enum PacketEvent<'a> {
    /// The beginning of a track, or of another part of a recording that is chained or joined. What comes later plays after
    /// what came before.
    Track(&'a TrackParams),
    /// A whole packet.
    Packet(&'a [u8]),
    /// The next bytes of a stream that is not divided into packets.
    Bytes(&'a [u8]),
    /// The end of a packet that is cut off, or too large to be one.
    Cut,
    /// The position, in samples of the codec's clock, at which the packets that follow end, up to the next such event. What
    /// is decoded beyond it is padding if `is_last`.
    EndsAt {
        /// The position.
        granule: u64,
        /// True if the stream ends there.
        is_last: bool,
        /// True if something before these packets is lost.
        is_after_gap: bool,
    },
    /// Padding at the end of the last packet, in nanoseconds.
    Padding {
        /// The length.
        nanos: u64,
    },
    /// Sound at the start of the track that is not to be played, in nanoseconds.
    Delay {
        /// The length.
        nanos: u64,
    },
    /// The parts of the track to play.
    Edits(&'a [EditPart]),
}

/// A part of a track to play, in units of `1 / timescale` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EditPart {
    /// The start.
    pub begins: u64,
    /// The end.
    pub ends: u64,
    /// The number of units a second.
    pub timescale: u32,
}
