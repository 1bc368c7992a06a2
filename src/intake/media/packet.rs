//! How long one packet plays.
//!
//! By its own bytes wherever the codec lets them tell, since that is what a decoder goes by. The times that a container
//! writes beside its packets can say anything.

use std::time::Duration;

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;
use symphonia::default::codecs::VorbisDecoder;

use super::{Codec, Container, mpeg, opus};

/// What tells the length of a packet.
pub(super) enum Clock {
    /// The packet's own first byte.
    Opus,
    /// The packet's own frame header.
    Mpeg,
    /// Every packet holds as many frames.
    Fixed(Duration),
    /// As many frames as the track says, but for a packet that says otherwise.
    Alac { frames: u32, rate: u32 },
    /// The demuxer, which has read it from the packet.
    Demuxer,
    /// Decoding, where a packet's length depends on the one before it and the demuxer does not look.
    Decoder(Box<VorbisDecoder>),
    /// Only what the container says.
    Container,
}

impl Clock {
    pub(super) fn new(container: Container, params: &AudioCodecParameters) -> Self {
        match params.codec {
            id::CODEC_ID_OPUS => Self::Opus,
            id::CODEC_ID_MP2 | id::CODEC_ID_MP3 => Self::Mpeg,
            id::CODEC_ID_AAC => aac(params).map_or(Self::Container, Self::Fixed),
            id::CODEC_ID_ALAC => alac(params).unwrap_or(Self::Container),
            _ if matches!(container, Container::Flac | Container::Ogg) => Self::Demuxer,
            id::CODEC_ID_VORBIS => VorbisDecoder::try_new(params, &AudioDecoderOptions::default())
                .map_or(Self::Container, |decoder| Self::Decoder(Box::new(decoder))),
            _ => Self::Container,
        }
    }

    /// The length of `packet`; `None` where only the container can say.
    pub(super) fn duration(&mut self, packet: &Packet, base: TimeBase) -> Option<Duration> {
        match self {
            Self::Opus => Some(opus::duration(&packet.data)),
            Self::Mpeg => Some(
                packet
                    .data
                    .first_chunk()
                    .copied()
                    .and_then(mpeg::Frame::parse)
                    .map_or(Duration::ZERO, mpeg::Frame::duration),
            ),
            Self::Fixed(length) => Some(*length),
            Self::Alac { frames, rate } => Some(seconds(alac_frames(&packet.data).unwrap_or(*frames).into(), 1, *rate)),
            Self::Demuxer => Some(ticks(packet.block_dur().get(), base)),
            Self::Decoder(decoder) => {
                let rate = decoder.codec_params().sample_rate.unwrap_or_default();
                let frames = decoder.decode(packet).map_or(0, |audio| audio.frames());
                Some(seconds(u64::try_from(frames).unwrap_or(u64::MAX), 1, rate))
            }
            Self::Container => None,
        }
    }
}

/// `count` ticks of a track's clock.
pub(super) fn ticks(count: u64, base: TimeBase) -> Duration {
    seconds(count, base.numer.get(), base.denom.get())
}

fn seconds(count: u64, numer: u32, denom: u32) -> Duration {
    let nanos = u128::from(count) * u128::from(numer) * 1_000_000_000 / u128::from(denom.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// An AAC packet is one frame: 1024 samples, or 960, of the core's rate (ISO/IEC 14496-3 §1.6.2.1 and §4.4.1). With
/// spectral band replication both the samples and their rate double, and the time stays the same.
fn aac(params: &AudioCodecParameters) -> Option<Duration> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    // Object types whose frames are half as long, or of a length that only their own configuration tells.
    const LOW_DELAY: u64 = 23;
    const ENHANCED_LOW_DELAY: u64 = 39;
    const UNIFIED: u64 = 42;
    const ESCAPE: u64 = 31;
    const RATE_IN_FULL: u64 = 15;

    let mut config = [0; 8];
    let extra = params.extra_data.as_deref()?;
    for (to, from) in config.iter_mut().zip(extra) {
        *to = *from;
    }
    let mut bits = Bits(u64::from_be_bytes(config));
    let mut object = bits.take(5);
    if object == ESCAPE {
        object = 32 + bits.take(6);
    }
    let rate = match bits.take(4) {
        RATE_IN_FULL => u32::try_from(bits.take(24)).ok()?,
        index => *RATES.get(usize::try_from(index).ok()?)?,
    };
    let _channels = bits.take(4);
    let short = bits.take(1) == 1;
    let frames = match object {
        UNIFIED => return None,
        LOW_DELAY | ENHANCED_LOW_DELAY => 512,
        // The flag is where it is expected only for the plain object types: low complexity, main, scalable, long-term.
        1..=4 if short => 960,
        _ => 1024,
    };
    (rate > 0).then(|| seconds(frames, 1, rate))
}

/// The frames of a full packet and the rate, from the first and the last field of ALAC's cookie.
fn alac(params: &AudioCodecParameters) -> Option<Clock> {
    let cookie = params.extra_data.as_deref()?;
    let field = |at: usize| cookie.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
    let (frames, rate) = (field(0)?, field(20)?);
    (frames > 0 && rate > 0).then_some(Clock::Alac { frames, rate })
}

/// The frames that an ALAC packet states for itself, as the last of a track does.
fn alac_frames(packet: &[u8]) -> Option<u32> {
    let mut bits = Bits(u64::from_be_bytes(*packet.first_chunk()?));
    let _element_instance_and_unused = bits.take(3 + 4 + 12);
    let states_size = bits.take(1) == 1;
    let _shift_and_escape = bits.take(2 + 1);
    states_size.then(|| u32::try_from(bits.take(32)).unwrap_or(u32::MAX))
}

/// Up to 64 bits, taken from the left.
struct Bits(u64);

impl Bits {
    fn take(&mut self, count: u32) -> u64 {
        let taken = self.0.checked_shr(64 - count).unwrap_or(0);
        self.0 = self.0.checked_shl(count).unwrap_or(0);
        taken
    }
}

/// The usual short name of a codec.
pub(super) fn name(codec: AudioCodecId) -> Option<Codec> {
    let name = match codec {
        id::CODEC_ID_OPUS => "opus",
        id::CODEC_ID_VORBIS => "vorbis",
        id::CODEC_ID_SPEEX => "speex",
        id::CODEC_ID_AAC => "aac",
        id::CODEC_ID_MP3 => "mp3",
        id::CODEC_ID_MP2 => "mp2",
        id::CODEC_ID_AC3 => "ac3",
        id::CODEC_ID_EAC3 => "eac3",
        id::CODEC_ID_FLAC => "flac",
        id::CODEC_ID_ALAC => "alac",
        id::CODEC_ID_PCM_S16LE => "pcm_s16le",
        id::CODEC_ID_PCM_S16BE => "pcm_s16be",
        id::CODEC_ID_PCM_S24LE => "pcm_s24le",
        id::CODEC_ID_PCM_S24BE => "pcm_s24be",
        id::CODEC_ID_PCM_S32LE => "pcm_s32le",
        id::CODEC_ID_PCM_S32BE => "pcm_s32be",
        id::CODEC_ID_PCM_F32LE => "pcm_f32le",
        id::CODEC_ID_PCM_F32BE => "pcm_f32be",
        id::CODEC_ID_PCM_F64LE => "pcm_f64le",
        id::CODEC_ID_PCM_F64BE => "pcm_f64be",
        id::CODEC_ID_PCM_U8 => "pcm_u8",
        id::CODEC_ID_PCM_S8 => "pcm_s8",
        id::CODEC_ID_PCM_ALAW => "pcm_alaw",
        id::CODEC_ID_PCM_MULAW => "pcm_mulaw",
        _ => return None,
    };
    Some(Codec(name))
}

/// The bits a second of uncompressed audio, which needs no walking.
pub(super) fn uncompressed_rate(params: &AudioCodecParameters) -> Option<u64> {
    let bits = match name(params.codec)?.name().strip_prefix("pcm_")? {
        "u8" | "s8" | "alaw" | "mulaw" => 8,
        "s16le" | "s16be" => 16,
        "s24le" | "s24be" => 24,
        "f64le" | "f64be" => 64,
        _ => 32,
    };
    let channels = params.channels.as_ref().map_or(1, |channels| channels.count().max(1));
    let rate = u64::from(params.sample_rate?).checked_mul(bits)?.checked_mul(u64::try_from(channels).ok()?)?;
    (rate > 0).then_some(rate)
}
