//! PCM: samples with a fixed number of bytes.

use super::decode::{Decode, Undecoded};
use crate::intake::media::TrackParams;

/// The largest number of channels: a frame of them fits many times into what is read at once.
const MAX_CHANNELS: u16 = 64;

/// The format of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    S8,
    S16Le,
    S16Be,
    S24Le,
    S24Be,
    S32Le,
    S32Be,
    S64Le,
    F32Le,
    F32Be,
    F64Le,
    F64Be,
    ALaw,
    MuLaw,
}

/// The size of the samples of all channels together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::speech::decode) struct PcmFormat {
    kind: Kind,
    channels: u16,
}

impl PcmFormat {
    /// Returns the format of a track; `None` if it is no PCM.
    pub(in crate::speech::decode) fn of(params: &TrackParams) -> Option<Self> {
        let kind = match params.codec.as_ref().ok()?.name() {
            "pcm_u8" => Kind::U8,
            "pcm_s8" => Kind::S8,
            "pcm_s16le" => Kind::S16Le,
            "pcm_s16be" => Kind::S16Be,
            "pcm_s24le" => Kind::S24Le,
            "pcm_s24be" => Kind::S24Be,
            "pcm_s32le" => Kind::S32Le,
            "pcm_s32be" => Kind::S32Be,
            "pcm_s64le" => Kind::S64Le,
            "pcm_f32le" => Kind::F32Le,
            "pcm_f32be" => Kind::F32Be,
            "pcm_f64le" => Kind::F64Le,
            "pcm_f64be" => Kind::F64Be,
            "pcm_alaw" => Kind::ALaw,
            "pcm_mulaw" => Kind::MuLaw,
            _ => return None,
        };
        (1..=MAX_CHANNELS).contains(&params.channels).then_some(Self { kind, channels: params.channels })
    }

    /// Returns the number of bytes of one sample of all channels.
    pub(in crate::speech::decode) fn frame_bytes(self) -> usize {
        usize::from(self.channels).saturating_mul(self.kind.bytes())
    }
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::S8 | Self::ALaw | Self::MuLaw => 1,
            Self::S16Le | Self::S16Be => 2,
            Self::S24Le | Self::S24Be => 3,
            Self::S32Le | Self::S32Be | Self::F32Le | Self::F32Be => 4,
            Self::S64Le | Self::F64Le | Self::F64Be => 8,
        }
    }

    /// Appends the samples in `bytes`, whole frames of `channels` samples, to `mono`.
    fn read(self, bytes: &[u8], channels: usize, mono: &mut Vec<f32>) {
        match self {
            Self::U8 => frames::<1>(bytes, channels, mono, |[a]| (f32::from(a) - 128.0) / 128.0),
            Self::S8 => frames::<1>(bytes, channels, mono, |[a]| f32::from(i8::from_le_bytes([a])) / 128.0),
            Self::S16Le => frames::<2>(bytes, channels, mono, |all| f32::from(i16::from_le_bytes(all)) / 32_768.0),
            Self::S16Be => frames::<2>(bytes, channels, mono, |all| f32::from(i16::from_be_bytes(all)) / 32_768.0),
            Self::S24Le => frames::<3>(bytes, channels, mono, |[a, b, c]| whole(i32::from_le_bytes([0, a, b, c]))),
            Self::S24Be => frames::<3>(bytes, channels, mono, |[a, b, c]| whole(i32::from_be_bytes([a, b, c, 0]))),
            Self::S32Le => frames::<4>(bytes, channels, mono, |all| whole(i32::from_le_bytes(all))),
            Self::S32Be => frames::<4>(bytes, channels, mono, |all| whole(i32::from_be_bytes(all))),
            Self::S64Le => {
                frames::<8>(bytes, channels, mono, |[_, _, _, _, a, b, c, d]| whole(i32::from_le_bytes([a, b, c, d])));
            }
            Self::F32Le => frames::<4>(bytes, channels, mono, |all| bounded(f32::from_le_bytes(all))),
            Self::F32Be => frames::<4>(bytes, channels, mono, |all| bounded(f32::from_be_bytes(all))),
            Self::F64Le => frames::<8>(bytes, channels, mono, |all| narrow(f64::from_le_bytes(all))),
            Self::F64Be => frames::<8>(bytes, channels, mono, |all| narrow(f64::from_be_bytes(all))),
            Self::ALaw => frames::<1>(bytes, channels, mono, |[a]| f32::from(a_law(a)) / 32_768.0),
            Self::MuLaw => frames::<1>(bytes, channels, mono, |[a]| f32::from(mu_law(a)) / 32_768.0),
        }
    }
}

/// Appends the mean of each frame of samples of `N` bytes.
fn frames<const N: usize>(bytes: &[u8], channels: usize, mono: &mut Vec<f32>, read: impl Fn([u8; N]) -> f32) {
    let (samples, _) = bytes.as_chunks::<N>();
    if channels == 1 {
        mono.extend(samples.iter().map(|sample| read(*sample)));
        return;
    }
    let share = 1.0 / f32::from(u16::try_from(channels).unwrap_or(u16::MAX));
    let frames = samples.chunks_exact(channels.max(1));
    mono.extend(frames.map(|frame| frame.iter().map(|sample| read(*sample)).sum::<f32>() * share));
}

/// Returns a sample of 32 bits as a fraction of full scale.
#[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a sample has no more than 24 bits of meaning")]
fn whole(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

/// Returns a sample that is not a number, or far from any, as silence.
fn bounded(sample: f32) -> f32 {
    if sample.abs() <= 256.0 { sample } else { 0.0 }
}

#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "what is beyond the range is silence")]
fn narrow(sample: f64) -> f32 {
    bounded(sample as f32)
}

/// Expands a sample of A-law (ITU-T G.711).
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (byte >> 4 & 7, i16::from(byte & 15));
    let size = match exponent {
        0 => mantissa << 4 | 8,
        exponent => (mantissa << 4 | 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -size } else { size }
}

/// Expands a sample of µ-law (ITU-T G.711).
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let size = ((i16::from(byte & 15) << 3 | 0x84) << (byte >> 4 & 7)) - 0x84;
    if byte & 0x80 == 0 { size } else { -size }
}

/// A decoder of PCM.
pub(super) struct Pcm {
    format: PcmFormat,
    rate: u32,
}

impl Pcm {
    pub(super) fn new(params: &TrackParams) -> Result<Self, Undecoded> {
        let format = PcmFormat::of(params).ok_or(Undecoded::Codec)?;
        Ok(Self { format, rate: params.rate })
    }
}

impl Decode for Pcm {
    fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), Undecoded> {
        let PcmFormat { kind, channels } = self.format;
        kind.read(packet, channels.into(), mono);
        Ok(())
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn lost(&self, packet: Option<&[u8]>) -> u64 {
        let frames = packet.map_or(0, |packet| packet.len() / self.format.frame_bytes().max(1));
        u64::try_from(frames).unwrap_or_default()
    }
}
