//! The description of a track's codec.

use super::table::Codec;

/// A container's description of a track's codec.
#[derive(Debug, Clone)]
pub struct TrackParams {
    /// The codec: the container's own code for it, mapped by `tags`. An unknown code is an error that names it.
    pub codec: Result<Codec, String>,
    /// The number of samples a second of each channel; 0 if unknown.
    pub rate: u32,
    /// The number of channels; 0 if unknown.
    pub channels: u16,
    /// The number of bits for each sample; 0 if unknown.
    pub bits: u16,
    /// The size in bytes of the smallest piece that can be decoded (`nBlockAlign`); 0 if unknown.
    pub block_bytes: u32,
    /// The codec's own configuration: an `AudioSpecificConfig`, `OpusHead`, `STREAMINFO` (with or without `fLaC` and
    /// the block's head), Vorbis' three headers (as Matroska laces them, or each after two bytes of its size, in the
    /// order of an Ogg stream), ALAC's cookie, Speex' header.
    pub setup: Vec<u8>,
}

impl Default for TrackParams {
    fn default() -> Self {
        let codec = Err("nothing".to_owned());
        Self { codec, rate: 0, channels: 0, bits: 0, block_bytes: 0, setup: Vec::new() }
    }
}
