//! TTA: a packet is a frame of a fixed length, except for the last, shorter one (True Audio Codec 1.1, "Format
//! description").
//!
//! Only the bytes of the last packet tell its length: this module counts the values in them without decoding samples.

use super::bits::LowBits;
use super::played::Played;
use super::{Count, TrackParams, Wants};

/// The maximum number of bytes kept of the last packet; a longer packet counts in full.
const MAX_HELD: usize = 128 * 1024;
/// The size in bytes of the checksum at a frame's end.
const CHECKSUM: usize = 4;

/// A counter of TTA packets.
#[derive(Debug)]
pub(super) struct Tta {
    rate: u32,
    channels: u16,
    /// The number of samples in a frame.
    frame: u64,
    /// The bytes of the last packet; complete if their number equals `size`.
    last: Vec<u8>,
    size: u64,
    played: Played,
}

impl Tta {
    pub(super) fn new(params: &TrackParams) -> Result<Self, String> {
        let TrackParams { rate, channels, .. } = *params;
        if rate == 0 || channels == 0 {
            return Err(format!("tta of {channels} channels at {rate} Hz"));
        }
        let frame = u64::from(rate) * 256 / 245;
        Ok(Self { rate, channels, frame, last: Vec::new(), size: 0, played: Played::default() })
    }

    /// Returns the number of samples in the last packet.
    fn last(&self) -> u64 {
        if self.size == 0 {
            return 0;
        }
        let whole = u64::try_from(self.last.len()) == Ok(self.size);
        let counted = self.last.len().checked_sub(CHECKSUM).and_then(|end| self.last.get(..end));
        match counted {
            Some(bytes) if whole => count(bytes, self.channels, self.frame),
            _ => self.frame,
        }
    }
}

/// Returns the number of samples in `bytes`; a full frame if they do not end with a sample.
fn count(bytes: &[u8], channels: u16, frame: u64) -> u64 {
    let mut bits = LowBits::new(bytes);
    let mut states = vec![Rice::default(); usize::from(channels)];
    for sample in 0..frame {
        if bits.left() < 8 {
            return sample;
        }
        for state in &mut states {
            if state.value(&mut bits).is_none() {
                return frame;
            }
        }
    }
    frame
}

/// The adaptive state of a channel's coding.
#[derive(Debug, Clone, Copy)]
struct Rice {
    low: Adapted,
    high: Adapted,
}

#[derive(Debug, Clone, Copy)]
struct Adapted {
    bits: u32,
    sum: u32,
}

impl Default for Rice {
    fn default() -> Self {
        let start = Adapted { bits: 10, sum: 1 << 14 };
        Self { low: start, high: start }
    }
}

impl Rice {
    /// Skips a value.
    fn value(&mut self, bits: &mut LowBits<'_>) -> Option<()> {
        let mut unary = 0_u32;
        while bits.flag()? {
            unary += 1;
        }
        let state = if unary == 0 { self.low } else { self.high };
        let rest = bits.take(state.bits)?;
        let value = unary.saturating_sub(1).checked_shl(state.bits)?.wrapping_add(rest);
        let value = if unary == 0 { rest } else { value };
        if unary > 0 {
            self.high.adapt(value);
            self.low.adapt(value.wrapping_add(1_u32.checked_shl(self.low.bits)?));
        } else {
            self.low.adapt(value);
        }
        Some(())
    }
}

impl Adapted {
    fn adapt(&mut self, value: u32) {
        let mark = |bits: u32| 1_u32.checked_shl(bits + 4).unwrap_or(u32::MAX);
        self.sum = self.sum.wrapping_add(value).wrapping_sub(self.sum >> 4);
        if self.bits > 0 && self.sum < mark(self.bits) {
            self.bits -= 1;
        } else if self.sum > mark(self.bits + 1) && self.bits < 31 {
            self.bits += 1;
        }
    }
}

impl Count for Tta {
    fn begin(&mut self, size: u64) -> Wants {
        if self.size > 0 {
            self.played.add(self.frame, self.rate);
        }
        self.size = size;
        self.last.clear();
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(MAX_HELD - self.last.len());
        self.last.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }

    fn played(&self) -> u64 {
        let mut played = self.played;
        played.add(self.last(), self.rate);
        played.nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::written;
    use super::super::play;
    use super::*;

    #[test]
    fn all_frames_but_the_last_are_full() {
        let params = TrackParams { rate: 24_500, channels: 2, ..TrackParams::default() };
        // Zeros take ten bits and a stop bit, then fewer and fewer.
        let mut fields = Vec::new();
        let mut states = [Rice::default(); 2];
        for at in 0..500 * 2 {
            let state = &mut states[at % 2];
            fields.push((0, 1 + state.low.bits));
            state.low.adapt(0);
        }
        let last = [&written(&fields, true)[..], &[1, 2, 3, 4]].concat();
        assert_eq!(play(&mut Tta::new(&params).unwrap(), [&last[..]]), 20);
        assert_eq!(play(&mut Tta::new(&params).unwrap(), [&last[..], &last, &last]), 2_089 + 21);
        assert_eq!(play(&mut Tta::new(&params).unwrap(), [&[][..], &[0xff; 99], &[]]), 1_044);
        assert!(Tta::new(&TrackParams::default()).is_err());
    }
}
