//! The fields of WAV that both the demuxer and the claim read.

use crate::intake::media::codec::{TrackParams, tags};

/// The size of the header of a file, and of the header of a chunk.
pub(super) const RIFF_HEADER: usize = 12;
pub(super) const CHUNK_HEADER: usize = 8;
/// The maximum size of a format: `WAVE_FORMAT_EXTENSIBLE` has 40 bytes, and the setup of some codecs adds a few more.
pub(super) const MAX_FORMAT: usize = 4096;
/// Sizes that mean "unknown", as live recorders write them.
const UNKNOWN: [u32; 2] = [0, u32::MAX];

/// Returns the size of a `data` chunk that states `stated` bytes; `None` if it is unknown. Some players use the size in
/// `ds64` instead of the size in the chunk, so the larger one counts.
pub(super) fn stated_bytes(of_ds64: Option<u64>, stated: u32) -> Option<u64> {
    let stated = (!UNKNOWN.contains(&stated)).then_some(u64::from(stated));
    of_ds64.filter(|size| *size > 0).max(stated)
}

/// Reads a `fmt ` chunk.
pub(super) fn parse(fields: &[u8]) -> TrackParams {
    const EXTENSIBLE: u16 = 0xfffe;
    let short = |at: usize| fields.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u16::from_le_bytes);
    let long = |at: usize| fields.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes);
    let (mut tag, bits) = (short(0), short(14));
    if tag == EXTENSIBLE {
        tag = short(24);
    }
    TrackParams {
        codec: tags::from_wave_tag(tag, bits),
        rate: long(4),
        channels: short(2),
        bits,
        block_bytes: u32::from(short(12)),
        setup: fields.get(18..).unwrap_or_default().to_vec(),
    }
}
