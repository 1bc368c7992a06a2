//! ADPCM and other coding in blocks of a fixed size, or with a fixed number of bits for each sample.

use super::adpcm_layout::Layout;
use super::played::Played;
use super::table::Codec;
use super::{Count, TrackParams, Wants};

/// The shape of a block, which determines the number of samples in whole blocks and in parts of a block.
#[derive(Debug, Clone, Copy)]
struct Shape {
    layout: Layout,
    channels: u64,
    bits: u16,
    /// The size of a block in bytes; 0 if a packet is one block.
    block_bytes: u64,
}

impl Shape {
    /// Returns the number of samples of each channel in a packet of `size` bytes.
    fn samples(self, size: u64) -> u64 {
        let Self { layout, channels, bits, block_bytes } = self;
        match layout {
            Layout::Microsoft | Layout::ImaWav => {
                let block = if block_bytes == 0 { size.max(1) } else { block_bytes };
                let whole = (size / block).saturating_mul(self.block_samples(block));
                whole.saturating_add(self.block_samples(size % block))
            }
            Layout::ImaQuickTime => (size / (34 * channels)).saturating_mul(64),
            Layout::Nibbles => size.saturating_mul(2) / channels,
            Layout::Flash => flash(size, channels, bits.into()),
            Layout::G722 => size.saturating_mul(2),
            Layout::G726 => size.saturating_mul(8) / u64::from(bits.clamp(2, 5)),
            Layout::Gsm => (size / 33).saturating_mul(160),
            Layout::GsmMicrosoft => (size / self.gsm_block()).saturating_mul(320),
            Layout::Mace3 => size.saturating_mul(3) / channels,
            Layout::Mace6 => size.saturating_mul(6) / channels,
        }
    }

    /// Returns the number of bytes that hold 320 samples.
    fn gsm_block(self) -> u64 {
        if (41..65).contains(&self.block_bytes) { self.block_bytes } else { 65 }
    }

    fn block_samples(self, size: u64) -> u64 {
        let Self { layout, channels, bits, .. } = self;
        if layout == Layout::Microsoft {
            return size.saturating_sub(6 * channels).saturating_mul(2) / channels;
        }
        // Samples come in groups of whole bytes: the bytes and the samples of one group.
        let (group, samples) = match bits {
            2 => (4, 16),
            3 => (12, 32),
            5 => (20, 32),
            _ => (4, 8),
        };
        match size.checked_sub(4 * channels) {
            Some(rest) => 1 + rest / (group * channels) * samples,
            None => 0,
        }
    }
}

/// Returns the number of samples in `size` bytes of Flash's ADPCM (SWF File Format Specification, "ADPCM compression").
fn flash(size: u64, channels: u64, bits: u64) -> u64 {
    let bits = bits.max(2);
    let head = 22 * channels;
    let block = head + bits * channels * 4095;
    let all = size.saturating_mul(8).saturating_sub(2);
    let rest = (all % block).checked_sub(head).map_or(0, |rest| 1 + rest / (bits * channels));
    (all / block * 4096).saturating_add(rest)
}

/// A counter of such sound, which uses only the sizes of packets.
#[derive(Debug)]
pub(super) struct Adpcm {
    shape: Shape,
    rate: u32,
    /// The number of bytes in the current packet, including those left over from the previous one.
    size: u64,
    played: Played,
}

impl Adpcm {
    pub(super) fn new(codec: Codec, layout: Layout, params: &TrackParams) -> Result<Self, String> {
        let TrackParams { rate, channels, bits, block_bytes, .. } = *params;
        if rate == 0 || channels == 0 {
            return Err(format!("{codec} of {channels} channels at {rate} Hz"));
        }
        let shape = Shape { layout, channels: channels.into(), bits, block_bytes: block_bytes.into() };
        Ok(Self { shape, rate, size: 0, played: Played::default() })
    }
}

impl Count for Adpcm {
    fn begin(&mut self, size: u64) -> Wants {
        self.size = self.left_over().saturating_add(size);
        if self.shape.layout == Layout::Flash { Wants::First(1) } else { Wants::Nothing }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if let (Layout::Flash, Some(first)) = (self.shape.layout, bytes.first()) {
            self.shape.bits = u16::from(first >> 6) + 2;
        }
    }

    fn end(&mut self) {
        self.played.add(self.shape.samples(self.size), self.rate);
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}

impl Adpcm {
    /// Returns the number of bytes that the next packet begins with: GSM frames may cross the ends of packets.
    fn left_over(&self) -> u64 {
        match self.shape.layout {
            Layout::Gsm => self.size % 33,
            Layout::GsmMicrosoft => self.size % self.shape.gsm_block(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{play, table};
    use super::*;

    fn samples(layout: Layout, channels: u64, bits: u16, block_bytes: u64, size: u64) -> u64 {
        Shape { layout, channels, bits, block_bytes }.samples(size)
    }

    #[test]
    fn blocks_hold_what_their_layout_says() {
        assert_eq!(samples(Layout::Microsoft, 1, 4, 256, 256 * 3 + 100), 3 * 500 + 188);
        assert_eq!(samples(Layout::Microsoft, 2, 4, 512, 512), 500);
        assert_eq!(samples(Layout::ImaWav, 1, 4, 256, 256 * 2 + 3), 2 * 505);
        assert_eq!(samples(Layout::ImaWav, 2, 4, 0, 1024), 1017);
        // At two bits a block holds twice as many samples.
        assert_eq!(samples(Layout::ImaWav, 1, 2, 256, 256), 1 + 63 * 16);
        assert_eq!(samples(Layout::ImaWav, 1, 3, 256, 256), 1 + 21 * 32);
        assert_eq!(samples(Layout::ImaQuickTime, 2, 16, 0, 68 * 5 + 67), 5 * 64);
        assert_eq!(samples(Layout::Nibbles, 2, 4, 0, 100), 100);
        assert_eq!(samples(Layout::G722, 1, 4, 0, 100), 200);
        assert_eq!((samples(Layout::G726, 1, 2, 0, 100), samples(Layout::G726, 1, 5, 0, 100)), (400, 160));
        assert_eq!((samples(Layout::Gsm, 1, 0, 0, 70), samples(Layout::GsmMicrosoft, 1, 0, 65, 131)), (320, 640));
        assert_eq!((samples(Layout::Mace3, 1, 8, 0, 4), samples(Layout::Mace6, 1, 8, 0, 4)), (12, 24));
        assert_eq!(samples(Layout::Flash, 1, 4, 0, (2_u64 + 22 + 4 * 4095).div_ceil(8)), 4096);
    }

    #[test]
    fn what_a_packet_cuts_of_gsm_goes_on_in_the_next() {
        let params = TrackParams { rate: 8_000, channels: 1, block_bytes: 65, ..TrackParams::default() };
        let mut gsm = Adpcm::new(table::GSM_MS, Layout::GsmMicrosoft, &params).unwrap();
        assert_eq!(play(&mut gsm, [&[0; 13][..]; 10]), 80);
    }

    #[test]
    fn flash_says_its_bits_first() {
        let params = TrackParams { rate: 8_000, channels: 1, bits: 4, ..TrackParams::default() };
        let mut flash = Adpcm::new(table::ADPCM_SWF, Layout::Flash, &params).unwrap();
        assert_eq!(play(&mut flash, [&[0x00; 1023][..]]), 510);
        assert_eq!(play(&mut flash, [&[0xc0; 1023][..]]), 510 + 204);
    }
}
