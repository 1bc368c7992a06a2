//! The form of the sound of a live session.

use crate::intake::media::LivePackets;

/// The form of the sound of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveFormat {
    /// Samples of 16 bits, lowest byte first, those of all channels together. A part of them may wait for the next piece.
    Pcm16 {
        /// The number of samples a second of each channel, from 8000 to 48000.
        rate: u32,
        /// The number of channels, one or two.
        channels: u16,
    },
    /// Consecutive pieces of one recording, of which only the first has a header: `WebM`, Ogg, MP4 in fragments, or WAV.
    Auto,
}

impl LiveFormat {
    /// Returns the packets of a recording of this form, before its first byte.
    pub(super) fn packets(self) -> LivePackets {
        match self {
            Self::Pcm16 { rate, channels } => LivePackets::pcm16(rate, channels),
            Self::Auto => LivePackets::detected(),
        }
    }
}
