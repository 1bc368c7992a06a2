//! Codecs whose rate does not change.

use std::num::NonZeroU64;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_ALAC, CODEC_ID_VORBIS,
};

use super::aac;
use super::decode::{Decode, Undecoded};
use super::symphonia::Symphonia;
use crate::intake::media::TrackParams;

/// The size of ALAC's configuration.
const ALAC_COOKIE: usize = 24;
/// The number of samples of a frame of ALAC, where its configuration states none that can be true.
const ALAC_SAMPLES: u32 = 4096;
/// The largest number of channels of ADPCM: the decoder takes no more.
const MAX_ADPCM_CHANNELS: u16 = 2;

/// A decoder of such a codec.
pub(super) struct Plain {
    decoder: Symphonia,
    rate: u32,
    /// The number of samples of a packet, where all have the same; 0 where they differ.
    packet: u64,
    /// The number of bytes of a packet that the codec fixes.
    bytes: Option<NonZeroU64>,
}

impl Plain {
    pub(super) fn aac(params: &TrackParams) -> Result<Self, Undecoded> {
        let core = aac::Core::new(params)?;
        let mut codec = AudioCodecParameters::new();
        codec.for_codec(CODEC_ID_AAC).with_extra_data(core.config().into_boxed_slice());
        Ok(Self { decoder: Symphonia::new(&codec)?, rate: core.rate, packet: aac::SAMPLES, bytes: None })
    }

    pub(super) fn vorbis(params: &TrackParams) -> Result<Self, Undecoded> {
        let mut codec = AudioCodecParameters::new();
        codec.for_codec(CODEC_ID_VORBIS).with_extra_data(params.setup.clone().into_boxed_slice());
        // After the mark, the identification header has a version of four bytes and a count of channels.
        let head = memchr::memmem::find(&params.setup, b"\x01vorbis").and_then(|at| params.setup.get(at + 12..));
        let rate = head.and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes);
        Ok(Self { decoder: Symphonia::new(&codec)?, rate, packet: 0, bytes: None })
    }

    pub(super) fn alac(params: &TrackParams) -> Result<Self, Undecoded> {
        // In old files the configuration is within other boxes.
        let cookie = match memchr::memmem::rfind(&params.setup, b"alac") {
            Some(at) => params.setup.get(at + 8..).unwrap_or_default(),
            None => &params.setup,
        };
        let cookie = cookie.get(..ALAC_COOKIE).ok_or(Undecoded::Feature("lacks its configuration"))?;
        let samples = cookie.first_chunk().map_or(ALAC_SAMPLES, |samples| u32::from_be_bytes(*samples));
        let mut codec = AudioCodecParameters::new();
        codec.for_codec(CODEC_ID_ALAC).with_extra_data(cookie.into());
        Ok(Self { decoder: Symphonia::new(&codec)?, rate: params.rate, packet: samples.into(), bytes: None })
    }

    /// Creates a decoder of ADPCM in blocks of a fixed size.
    pub(super) fn adpcm(params: &TrackParams) -> Result<Self, Undecoded> {
        let TrackParams { channels, rate, block_bytes, bits, .. } = *params;
        let block = NonZeroU64::new(block_bytes.into()).ok_or(Undecoded::Feature("states no size of its blocks"))?;
        if channels == 0 || channels > MAX_ADPCM_CHANNELS || bits != 4 {
            return Err(Undecoded::Feature("has other ADPCM than of 4 bits and up to two channels"));
        }
        let is_microsoft = params.codec.as_ref().is_ok_and(|codec| codec.name() == "adpcm_ms");
        let (id, head, whole) = if is_microsoft { (CODEC_ID_ADPCM_MS, 7, 2) } else { (CODEC_ID_ADPCM_IMA_WAV, 4, 1) };
        let channel_count = u64::from(channels);
        let nibbles = block.get().saturating_sub(head * channel_count).saturating_mul(2) / channel_count;
        // IMA's nibbles come in groups of eight.
        let samples = if is_microsoft { nibbles + whole } else { nibbles / 8 * 8 + whole };
        let mut codec = AudioCodecParameters::new();
        codec
            .for_codec(id)
            .with_sample_rate(rate)
            .with_channels(Channels::Discrete(channels))
            .with_max_frames_per_packet(samples)
            .with_frames_per_block(samples);
        Ok(Self { decoder: Symphonia::new(&codec)?, rate, packet: samples, bytes: Some(block) })
    }
}

impl Decode for Plain {
    fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), Undecoded> {
        self.decoder.decode(packet, self.packet, mono)
    }

    fn rate(&self) -> u32 {
        match self.decoder.rate() {
            0 => self.rate,
            rate => rate,
        }
    }

    fn trim(&mut self) {
        self.decoder.trim();
    }

    fn lost(&self, packet: Option<&[u8]>) -> u64 {
        match (self.bytes, packet) {
            // A block that the recording cuts off.
            (Some(block), Some(packet)) if u64::try_from(packet.len()).is_ok_and(|bytes| bytes < block.get()) => 0,
            _ => self.packet.max(self.decoder.last()),
        }
    }
}
