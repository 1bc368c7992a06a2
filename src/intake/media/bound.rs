//! How long so many bytes could be at most.
//!
//! The bounds are for audio as encoders write it, at the lowest rate that each codec is used at. A file made by hand to be
//! thinner than any encoder makes it can exceed them; what the provider then reports corrects the charge.

use super::{Codec, Container};
use crate::units::AudioMs;

/// The lowest rate in bits a second at which this kind of audio is found.
pub(super) fn floor(container: Container, codec: Option<Codec>) -> u64 {
    match codec.map(Codec::name) {
        // Opus starts at 6 kbit/s (RFC 6716 §2.1.1). Discontinuous transmission (§2.1.9) sends next to nothing in pauses,
        // which fill about half of a conversation.
        Some("opus") => 3_000,
        // The lowest rate in the tables of ISO/IEC 13818-3, layers II and III.
        Some("mp3" | "mp2") => 8_000,
        // Speex has a narrowband mode of 2.15 kbit/s (the Speex manual, table 9.1).
        Some("speex") => 2_000,
        // No rate is too low for FLAC: silence costs it nothing. Telephone speech, 128 kbit/s before, is seldom packed
        // to an eighth.
        Some("flac" | "alac") => 16_000,
        // The thinnest modes of AAC and Vorbis in use are the 8 kbit/s of HE-AAC v2 and libvorbis's lowest quality at 8 kHz.
        Some("aac" | "vorbis") => 6_000,
        Some(name) if name.starts_with("pcm_") => 64_000,
        _ => match container {
            Container::Mp3 => 8_000,
            Container::Flac => 16_000,
            // GSM and the telephone codecs of the G.72x family are the thinnest that a WAV is seen with.
            Container::Wav => 5_300,
            Container::Ogg | Container::Mp4 | Container::Webm => 3_000,
        },
    }
}

/// The time that `bytes` last at `bits_per_second`, rounded up.
pub(super) fn longest(bytes: u64, bits_per_second: u64) -> AudioMs {
    AudioMs::from_frames(bytes.saturating_mul(8), bits_per_second).unwrap_or_default()
}
