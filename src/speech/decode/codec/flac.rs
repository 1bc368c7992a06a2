//! FLAC: frames whose form may change where files were joined.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;

use super::decode::{Decode, Undecoded};
use super::symphonia::Symphonia;
use crate::intake::media::FlacFrame;

/// The largest block (RFC 9639 §8.2).
const MAX_BLOCK: u16 = 65_535;

/// The facts of frames that a decoder needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    rate: u32,
    channels: u8,
    bits: u8,
}

/// A decoder of frames.
pub(super) struct Flac {
    /// The rate and the number of bits that `STREAMINFO` states, for frames that leave them out; 0 if unknown.
    stated_rate: u32,
    stated_bits: u8,
    stream: Option<(Form, Symphonia)>,
    has_changed: bool,
    last: u64,
}

impl Flac {
    /// Creates a decoder. `setup` holds `STREAMINFO`, with or without heads before it.
    pub(super) fn new(setup: &[u8]) -> Self {
        let info = match memchr::memmem::find(setup, &[0, 0, 34]) {
            Some(at) if setup.len() != 34 => setup.get(at + 3..).unwrap_or_default(),
            _ => setup,
        };
        let word = info.get(10..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_be_bytes);
        let bits = info.get(12..14).map_or(0, |pair| match pair {
            [high, low] => (high & 1) << 4 | low >> 4,
            _ => 0,
        });
        let stated_bits = if info.is_empty() { 0 } else { bits + 1 };
        Self { stated_rate: word >> 12, stated_bits, stream: None, has_changed: false, last: 0 }
    }
}

/// Returns a `STREAMINFO` for frames of this form (RFC 9639 §8.2).
fn stream_info(form: Form) -> Box<[u8]> {
    let Form { rate, channels, bits } = form;
    let mut info = [16_u16, MAX_BLOCK].map(u16::to_be_bytes).concat();
    info.extend([0; 6]);
    // 20 bits of rate, 3 of channels, 5 of bits, 36 of the unknown number of samples.
    let packed =
        u64::from(rate) << 44 | u64::from(channels.saturating_sub(1)) << 41 | u64::from(bits.saturating_sub(1)) << 36;
    info.extend(packed.to_be_bytes());
    info.extend([0; 16]);
    info.into_boxed_slice()
}

impl Decode for Flac {
    fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), Undecoded> {
        self.has_changed = false;
        let frame = FlacFrame::parse(packet).ok_or(Undecoded::Packet)?;
        let form = Form {
            rate: if frame.rate == 0 { self.stated_rate } else { frame.rate },
            channels: frame.channels(),
            bits: frame.bits().unwrap_or(self.stated_bits),
        };
        self.last = frame.samples.into();
        let decoder = match &mut self.stream {
            Some((known, decoder)) if *known == form => decoder,
            other => {
                self.has_changed = true;
                let mut codec = AudioCodecParameters::new();
                codec.for_codec(CODEC_ID_FLAC).with_extra_data(stream_info(form));
                &mut other.insert((form, Symphonia::new(&codec)?)).1
            }
        };
        decoder.decode(packet, frame.samples.into(), mono)
    }

    fn rate(&self) -> u32 {
        self.stream.as_ref().map_or(self.stated_rate, |(form, _)| form.rate)
    }

    fn has_changed(&self) -> bool {
        self.has_changed
    }

    fn lost(&self, packet: Option<&[u8]>) -> u64 {
        packet.and_then(FlacFrame::parse).map_or(self.last, |frame| frame.samples.into())
    }
}
