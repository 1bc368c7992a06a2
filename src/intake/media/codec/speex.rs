//! Speex: frames of 20 ms, counted by parsing a packet (The Speex Codec Manual 1.2, chapters 8 to 10).
//!
//! A decoder reads the number of frames for each packet that the header states, then the same number again from the
//! next whole byte on, until no bytes are left.

use super::bits::Bits;
use super::played::Played;
use super::{Count, TrackParams, Wants};

/// The maximum number of bytes in a packet: two seconds at the highest quality take half of this.
const MAX_HELD: usize = 16 * 1024;
/// The number of bits of a narrow-band frame by its submode, including its head of 5 (tables 9.1 and 9.2).
const NARROW: [usize; 9] = [5, 43, 119, 160, 220, 300, 364, 492, 79];
/// The number of bits of a wide-band layer by its submode, including its head of 4 (table 10.1).
const WIDE: [usize; 5] = [4, 36, 112, 192, 352];
/// The number of bits of a frame of silence.
const MIN_FRAME_BITS: u64 = 5;
/// The number of samples in a narrow-band frame.
const FRAME: u32 = 160;

/// A counter of Speex packets.
#[derive(Debug)]
pub(super) struct Speex {
    rate: u32,
    /// The number of wide-band layers, each of which doubles the samples.
    layers: u32,
    /// The number of samples in a frame.
    frame: u32,
    frames_per_packet: u32,
    held: Vec<u8>,
    size: u64,
    played: Played,
}

impl Speex {
    pub(super) fn new(params: &TrackParams) -> Result<Self, String> {
        let at = memchr::memmem::find(&params.setup, b"Speex   ");
        let header = at.and_then(|at| params.setup.get(at..)).filter(|header| header.len() >= 80);
        let field = |at: usize| {
            header.and_then(|header| header.get(at..)).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes)
        };
        let rate = field(36).filter(|&rate| rate > 0).unwrap_or(params.rate);
        let by_rate = match rate {
            8_000 => 0,
            16_000 => 1,
            _ => 2,
        };
        let layers = field(40).unwrap_or(by_rate).min(2);
        if rate == 0 {
            return Err("speex without a sampling rate".to_owned());
        }
        let frames_per_packet = field(64).unwrap_or(1).clamp(1, 64);
        // ffmpeg plays as many samples of each frame as the header states, silence after the samples that there are.
        let frame = field(56).unwrap_or_default().max(FRAME << layers);
        let (held, played) = (Vec::new(), Played::default());
        Ok(Self { rate, layers, frame, frames_per_packet, held, size: 0, played })
    }

    /// Returns the number of frames in `packet`.
    fn frames(&self, packet: &[u8]) -> u32 {
        let mut bits = Bits::new(packet);
        let mut frames = 0_u32;
        loop {
            for _ in 0..self.frames_per_packet {
                if frame(&mut bits, self.layers).is_none() {
                    return frames;
                }
                frames += 1;
                // Code 15 is a terminator.
                if bits.left() < 5 || bits.peek() >> 27 == 0b01111 {
                    break;
                }
            }
            bits.align();
            if bits.left() == 0 {
                return frames;
            }
        }
    }
}

/// Skips a frame. Returns `None` if there is none. A decoder plays a frame that is cut off after its head.
fn frame(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    let narrow = loop {
        if bits.left() < 5 {
            return None;
        }
        let mut skipped = 0;
        while bits.flag()? {
            // The layers belong to the previous frame and were not asked for.
            skipped += 1;
            let submode = usize::try_from(bits.take(3)?).ok()?;
            bits.skip(WIDE.get(submode).filter(|_| skipped <= 2)? - 4)?;
        }
        match bits.take(4)? {
            submode @ 0..=8 => break submode,
            // Code 14 is a request to the decoder, 13 one to its user.
            14 => {
                let size = match bits.take(4)? {
                    0 | 1 => 1,
                    2..=7 => 4,
                    8 | 9 => 8,
                    10 | 11 => 16,
                    12 | 13 => 32,
                    _ => 64,
                };
                bits.skip_at_most(size);
            }
            13 => {
                let size = bits.take(4)?;
                bits.skip_at_most(5 + 8 * usize::try_from(size).ok()?);
            }
            _ => return None,
        }
    };
    bits.skip_at_most(NARROW.get(usize::try_from(narrow).ok()?)? - 5);
    for _ in 0..layers {
        if bits.left() == 0 || bits.peek() >> 31 == 0 {
            continue;
        }
        let submode = usize::try_from(bits.peek() >> 28 & 0b111).ok()?;
        bits.skip_at_most(*WIDE.get(submode)?);
    }
    Some(())
}

impl Count for Speex {
    fn begin(&mut self, size: u64) -> Wants {
        self.held.clear();
        self.size = size;
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(MAX_HELD - self.held.len());
        self.held.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }

    fn end(&mut self) {
        let held = u64::try_from(self.held.len()).unwrap_or(u64::MAX);
        // The rest counts as the maximum number of frames that it can hold: the shortest frames.
        let rest = self.size.saturating_sub(held).saturating_mul(8) / MIN_FRAME_BITS;
        let frames = u64::from(self.frames(&self.held)).saturating_add(rest);
        self.played.add(frames.saturating_mul(self.frame.into()), self.rate);
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::written;
    use super::super::play;
    use super::*;

    fn header(rate: u32, mode: u32, frames: u32) -> TrackParams {
        let mut setup = vec![0; 80];
        setup[..8].copy_from_slice(b"Speex   ");
        for (at, value) in [(36, rate), (40, mode), (64, frames)] {
            setup[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        TrackParams { setup, ..TrackParams::default() }
    }

    #[test]
    fn a_packet_plays_all_frames_that_are_in_it() {
        // Quality 8: submode 5 with 300 bits; then a terminator and ones.
        let mut frame = vec![0x28];
        frame.resize(37, 0);
        frame.extend([0x07, 0xff]);
        let speex = |rate, mode, frames| Speex::new(&header(rate, mode, frames)).unwrap();
        assert_eq!(play(&mut speex(8_000, 0, 1), [&frame[..], &frame]), 40);
        // Eight frames of silence with five bits each, as many as the header states, and the same number again.
        assert_eq!(play(&mut speex(8_000, 0, 8), [&[0; 5][..]]), 160);
        assert_eq!(play(&mut speex(8_000, 0, 8), [&[0; 10][..]]), 320);
        assert_eq!(play(&mut speex(8_000, 0, 1), [&[0; 5][..]]), 100);
        assert_eq!(play(&mut speex(8_000, 0, 1), [&[0x28][..], &[]]), 20);
    }

    #[test]
    fn a_frame_plays_as_many_samples_as_the_header_states() {
        for (stated, plays) in [(0_u32, 20), (160, 20), (320, 40), (160_000, 20_000)] {
            let mut params = header(8_000, 0, 1);
            params.setup[56..60].copy_from_slice(&stated.to_le_bytes());
            assert_eq!(play(&mut Speex::new(&params).unwrap(), [&[0x28][..]]), plays);
        }
    }

    #[test]
    fn bands_above_double_the_rate_and_not_the_time() {
        // Submode 0 below, and a layer of submode 1 above it: 36 bits.
        let wide = written(&[(0, 5), (0b1001, 4), (0, 32), (0b01111, 5)], false);
        assert_eq!(play(&mut Speex::new(&header(16_000, 1, 1)).unwrap(), [&wide[..]]), 20);
        let params = TrackParams { rate: 16_000, ..TrackParams::default() };
        assert_eq!(play(&mut Speex::new(&params).unwrap(), [&wide[..], &wide]), 40);
        // A narrow-band decoder skips the layer.
        assert_eq!(play(&mut Speex::new(&header(8_000, 0, 9)).unwrap(), [&wide[..]]), 20);
    }
}
