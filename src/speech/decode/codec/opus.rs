//! Opus (RFC 6716 and RFC 7845), decoded straight to 16 kHz.

use opus_pure::{OpusDecoder, OpusMSDecoder};

use super::decode::{Decode, Gapless, Undecoded};
use crate::speech::decode::mix::mix;
use crate::speech::samples::Samples;

/// The clock of Opus: positions and the pre-skip count in it, whatever the rate of the output.
const CLOCK: u32 = 48_000;
/// The number of samples of the clock in one sample of the output.
const PER_SAMPLE: u64 = 3;
/// The longest packet, 120 ms, in samples of the output.
const MAX_SAMPLES: usize = 1920;
const MAX_CHANNELS: u8 = 8;
/// The length of most packets, 20 ms.
const USUAL: u64 = 320;

/// A decoder of Opus.
pub(super) struct Opus {
    streams: Streams,
    gain: f32,
    /// The part to play, until it is taken.
    begun: Option<Gapless>,
    output: Vec<f32>,
    last: u64,
}

enum Streams {
    /// One stream, which the decoder mixes to mono.
    One(Box<OpusDecoder>),
    Several {
        decoder: Box<OpusMSDecoder>,
        channels: usize,
    },
}

impl Opus {
    /// Creates a decoder. `head` is the `OpusHead`.
    pub(super) fn new(head: &[u8]) -> Result<Self, Undecoded> {
        let head = head.strip_prefix(b"OpusHead").unwrap_or(head);
        // Without its head a stream is mono or stereo, and nothing is known to be skipped (as in some Matroska files).
        let field = |at: usize| head.get(at..)?.first_chunk().copied();
        let channels = head.get(1).copied().unwrap_or(2);
        let skip = field(2).map_or(0, u16::from_le_bytes);
        let gain = field(8).map_or(0, i16::from_le_bytes);
        let family = head.get(10).copied().unwrap_or_default();
        let streams = match channels {
            1 | 2 if family == 0 => Streams::One(Box::new(OpusDecoder::new(rate(), 1).map_err(|_| Undecoded::Codec)?)),
            1..=MAX_CHANNELS => several(channels, family, head)?,
            _ => return Err(Undecoded::Feature("has more than eight channels")),
        };
        let gain = 10_f32.powf(f32::from(gain) / (20.0 * 256.0));
        let begun = Some(Gapless { skip: u64::from(skip) / PER_SAMPLE, end: None, silent_nanos: 0 });
        Ok(Self { streams, gain, begun, output: Vec::new(), last: USUAL })
    }
}

/// Returns a decoder of several streams, whose channels are mixed whatever their order.
fn several(channels: u8, family: u8, head: &[u8]) -> Result<Streams, Undecoded> {
    let count = usize::from(channels);
    let unknown = Undecoded::Feature("has channels in an unknown arrangement");
    let decoder = OpusMSDecoder::new(rate(), count, family).map_err(|_| unknown)?;
    if head.get(11).map(|streams| usize::from(*streams)) != Some(decoder.nb_streams()) {
        return Err(unknown);
    }
    Ok(Streams::Several { decoder: Box::new(decoder), channels: count })
}

fn rate() -> i32 {
    i32::try_from(Samples::RATE).unwrap_or_default()
}

impl Decode for Opus {
    fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), Undecoded> {
        if packet.is_empty() {
            return Err(Undecoded::Packet);
        }
        let from = mono.len();
        let done = match &mut self.streams {
            Streams::One(decoder) => {
                self.output.resize(MAX_SAMPLES, 0.0);
                let count = decoder.decode(packet, MAX_SAMPLES, &mut self.output);
                count.map(|count| mono.extend_from_slice(self.output.get(..count).unwrap_or_default()))
            }
            Streams::Several { decoder, channels } => {
                self.output.resize(MAX_SAMPLES.saturating_mul(*channels), 0.0);
                let count = decoder.decode(packet, MAX_SAMPLES, &mut self.output);
                count.map(|count| {
                    mix(self.output.get(..count.saturating_mul(*channels)).unwrap_or_default(), *channels, mono);
                })
            }
        };
        done.map_err(|_| Undecoded::Packet)?;
        let samples = mono.get_mut(from..).unwrap_or_default();
        self.last = u64::try_from(samples.len()).unwrap_or_default();
        if (self.gain - 1.0).abs() > f32::EPSILON {
            for sample in samples {
                *sample *= self.gain;
            }
        }
        Ok(())
    }

    fn rate(&self) -> u32 {
        Samples::RATE
    }

    fn lost(&self, _packet: Option<&[u8]>) -> u64 {
        self.last
    }

    fn begun(&mut self) -> Option<Gapless> {
        self.begun.take()
    }

    fn trim(&mut self) {
        self.output = Vec::new();
    }

    fn clock(&self) -> Option<u32> {
        Some(CLOCK)
    }
}
