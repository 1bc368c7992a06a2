//! Consecutive FLAC frames, found by their headers (RFC 9639 §9.1).
//!
//! A frame does not state its length. The next header, which has its own checksum, marks its end. A decoder starts no
//! frame without a header, so the headers bound the stream's duration, and [`FlacChain`] counts every header that it
//! finds. Chance produces about one header in 16 MB of sound; a header that differs from the previous frames and is
//! longer than the stream's longest block is ignored.

#[cfg(test)]
mod tests;

use super::played::Played;
use super::{Count, TrackParams, Wants};

/// The maximum size of a header in bytes: sync and codes, a number of seven bytes, two bytes each of block size and
/// rate, the checksum.
const MAX_HEADER: usize = 16;

/// The properties of a frame, from its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlacFrame {
    /// The number of samples of each channel.
    pub samples: u32,
    /// The number of samples a second; 0 if `STREAMINFO` has it.
    pub rate: u32,
    /// The kind of blocks, and the code for the bits of a sample.
    kind: (u8, u8),
    /// The code for the channels.
    layout: u8,
    /// The number of the frame if all have the same size, otherwise of its first sample.
    number: u64,
}

impl FlacFrame {
    /// Returns the number of channels.
    pub fn channels(&self) -> u8 {
        match self.layout {
            code @ 0..8 => code + 1,
            // Stereo as a channel and a difference.
            _ => 2,
        }
    }

    /// Returns the number of bits of a sample; `None` if `STREAMINFO` has it.
    pub fn bits(&self) -> Option<u8> {
        match self.kind.1 {
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => None,
        }
    }

    /// Returns the position of its first sample in the stream; `block` is the number of samples in a frame of a stream whose
    /// frames all have the same size.
    pub fn position(&self, block: u32) -> u64 {
        if self.kind.0 & 1 == 0 { self.number.saturating_mul(block.into()) } else { self.number }
    }

    /// Reads a header at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[0xff, sync @ (0xf8 | 0xf9), sizes, layout] = bytes.first_chunk()? else { return None };
        let bits = layout >> 1 & 0b111;
        if layout & 1 != 0 || layout >> 4 > 10 || bits == 3 {
            return None;
        }
        let lead = *bytes.get(4)?;
        let more = match lead.leading_ones() {
            0 => 0,
            ones @ 2..=7 => usize::try_from(ones).ok()? - 1,
            _ => return None,
        };
        let mut at = 5 + more;
        let rest = bytes.get(5..at)?;
        if rest.iter().any(|byte| byte & 0xc0 != 0x80) {
            return None;
        }
        // The lead holds the bits after its ones and a zero.
        let lead = if more == 0 { lead } else { lead & 0x3f_u8.checked_shr(more.try_into().ok()?).unwrap_or_default() };
        let frame_number = rest.iter().fold(u64::from(lead), |number, byte| number << 6 | u64::from(byte & 0x3f));
        let mut number = |size: usize| {
            let bytes = bytes.get(at..at + size)?;
            at += size;
            Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        };
        let samples = match sizes >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => number(1)? + 1,
            7 => number(2)? + 1,
            code => 256 << (code - 8),
        };
        let rate = match sizes & 0x0f {
            0 => 0,
            1 => 88_200,
            2 => 176_400,
            3 => 192_000,
            4 => 8_000,
            5 => 16_000,
            6 => 22_050,
            7 => 24_000,
            8 => 32_000,
            9 => 44_100,
            10 => 48_000,
            11 => 96_000,
            12 => number(1)? * 1000,
            13 => number(2)?,
            14 => number(2)? * 10,
            _ => return None,
        };
        let header = bytes.get(..at)?;
        (crc8(header) == *bytes.get(at)?).then_some(Self {
            samples,
            rate,
            kind: (sync, bits),
            layout: layout >> 4,
            number: frame_number,
        })
    }
}

/// Returns the checksum of a header: x⁸ + x² + x + 1 (RFC 9639 §9.1.8).
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// The duration of a stream of FLAC frames, fed in pieces of any size.
#[derive(Debug, Default)]
pub(in super::super) struct FlacChain {
    /// The number of samples a second that `STREAMINFO` states; `max_samples` is the size of its longest block.
    rate: u32,
    max_samples: u32,
    /// The bytes that wait for more: a header that begins in them may be incomplete.
    tail: Vec<u8>,
    last: Option<FlacFrame>,
    played: Played,
    frames: u64,
}

impl FlacChain {
    /// Creates a chain for a stream whose `STREAMINFO` is in `setup`, with or without `fLaC` and the block's head.
    pub(in super::super) fn new(setup: &[u8], rate: u32) -> Self {
        let info = match setup.strip_prefix(b"fLaC") {
            Some(rest) => rest.get(4..).unwrap_or_default(),
            None if setup.len() == 34 => setup,
            // The head announces a block of 34 bytes, as in MP4, possibly after a version and flags.
            None => memchr::memmem::find(setup, &[0, 0, 34]).and_then(|at| setup.get(at + 3..)).unwrap_or_default(),
        };
        let max_samples = info.get(2..).and_then(<[u8]>::first_chunk).copied().map_or(0, u16::from_be_bytes);
        let stated = info.get(10..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_be_bytes) >> 12;
        let rate = if stated > 0 { stated } else { rate };
        Self { rate, max_samples: max_samples.into(), ..Self::default() }
    }

    /// Counts the next bytes.
    pub(in super::super) fn feed(&mut self, bytes: &[u8]) {
        let mut tail = std::mem::take(&mut self.tail);
        // The remaining bytes are searched together with as many new bytes as a header can reach.
        let held = tail.len();
        if held > 0 {
            let reach = bytes.len().min(MAX_HEADER - 1);
            tail.extend_from_slice(bytes.get(..reach).unwrap_or_default());
            let ready = (tail.len() + 1).saturating_sub(MAX_HEADER).min(held);
            self.search(&tail, ready);
            if ready < held {
                // Too few bytes came to finish with the held ones.
                tail.drain(..ready);
                self.tail = tail;
                return;
            }
        }
        let ready = (bytes.len() + 1).saturating_sub(MAX_HEADER);
        self.search(bytes, ready);
        tail.clear();
        tail.extend_from_slice(bytes.get(ready..).unwrap_or_default());
        self.tail = tail;
    }

    /// Ends the stream. Bytes fed later are another stream, which plays after it.
    pub(in super::super) fn finish(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        self.search(&tail, tail.len());
    }

    /// Counts the headers that begin in the first `ready` of `bytes`.
    fn search(&mut self, bytes: &[u8], ready: usize) {
        for at in memchr::memchr_iter(0xff, bytes.get(..ready).unwrap_or_default()) {
            if let Some(header) = bytes.get(at..).and_then(FlacFrame::parse) {
                self.count(header);
            }
        }
    }

    fn count(&mut self, header: FlacFrame) {
        let rate = if header.rate == 0 { self.rate } else { header.rate };
        let differs = self.last.is_some_and(|last| (last.rate, last.kind) != (header.rate, header.kind));
        if differs && self.max_samples > 0 && header.samples > self.max_samples {
            return;
        }
        self.last = Some(header);
        self.played.add(header.samples.into(), rate);
        self.frames += 1;
    }

    /// Returns the duration of the frames so far, in nanoseconds.
    pub(in super::super) fn played_nanos(&self) -> u64 {
        self.played.nanos()
    }

    /// Returns the number of frames counted.
    #[cfg(test)]
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }
}

/// A counter of packets of FLAC frames.
#[derive(Debug)]
pub(super) struct Flac(FlacChain);

impl Flac {
    pub(super) fn new(params: &TrackParams) -> Self {
        Self(FlacChain::new(&params.setup, params.rate))
    }
}

impl Count for Flac {
    fn begin(&mut self, _size: u64) -> Wants {
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    fn end(&mut self) {
        self.0.finish();
    }

    fn played(&self) -> u64 {
        self.0.played_nanos()
    }
}
