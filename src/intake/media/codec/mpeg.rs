//! Consecutive MPEG audio frames of all three layers (ISO/IEC 11172-3 §2.4.1.3 and §2.4.2.3, 13818-3 §2.4.2.3, and the
//! unofficial MPEG-2.5).
//!
//! Decoders cut a stream into frames by its headers alone, regardless of packets, and so does [`MpegChain`]. It skips
//! bytes between frames until a header follows. Among other bytes chance produces a header every few kilobytes, so the
//! first frame after such a gap counts only if another follows it directly; a decoder drops it together with the gap. A
//! header with a free bit rate is not accepted: decoders do not accept it either.

#[cfg(test)]
mod tests;

use super::chain::find_pair;
use super::played::Played;
use super::{Count, Wants};

/// The bit rates by index from 1 on, in kilobits a second; index 0 is the free format, 15 is forbidden.
const MPEG_1_LAYER_1: [u32; 14] = [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const MPEG_1_LAYER_2: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const MPEG_1_LAYER_3: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG_2_LAYER_1: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const MPEG_2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/// The sampling rates of MPEG-1.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// The properties of a frame, from its header of four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The size of the whole frame in bytes.
    pub bytes: u64,
    /// The number of samples of each channel.
    pub samples: u32,
    /// The number of samples a second.
    pub rate: u32,
    /// The layer: 1, 2 or 3.
    pub layer: u8,
}

impl Frame {
    /// Reads a header; `None` for other bytes and for the free format.
    pub fn parse(head: [u8; 4]) -> Option<Self> {
        let [sync, version_and_layer, rates, _] = head;
        if sync != 0xff || version_and_layer & 0xe0 != 0xe0 {
            return None;
        }
        let (mpeg_1, divisor) = match version_and_layer >> 3 & 0b11 {
            0b11 => (true, 1),
            0b10 => (false, 2),
            0b00 => (false, 4),
            _ => return None,
        };
        let (layer, table, samples) = match (version_and_layer >> 1 & 0b11, mpeg_1) {
            (0b11, true) => (1, &MPEG_1_LAYER_1, 384),
            (0b11, false) => (1, &MPEG_2_LAYER_1, 384),
            (0b10, true) => (2, &MPEG_1_LAYER_2, 1152),
            (0b10, false) => (2, &MPEG_2, 1152),
            (0b01, true) => (3, &MPEG_1_LAYER_3, 1152),
            (0b01, false) => (3, &MPEG_2, 576),
            _ => return None,
        };
        let bits_per_second = *table.get(usize::from(rates >> 4).checked_sub(1)?)? * 1000;
        let rate = RATES.get(usize::from(rates >> 2 & 0b11))? / divisor;
        // Frames are counted in slots: four bytes in layer I, one byte in the others.
        let slot = if layer == 1 { 4 } else { 1 };
        let slots = samples / 8 / slot * bits_per_second / rate + u32::from(rates >> 1 & 1);
        Some(Self { bytes: u64::from(slots * slot), samples, rate, layer })
    }

    /// Returns true if both frames could belong to one stream, in which only the bit rate changes.
    pub fn matches(self, other: Self) -> bool {
        (self.samples, self.rate, self.layer) == (other.samples, other.rate, other.layer)
    }

    /// Returns the duration in nanoseconds.
    pub fn nanos(self) -> u64 {
        let mut played = Played::default();
        played.add(self.samples.into(), self.rate);
        played.nanos()
    }
}

/// Returns true if a header could begin with these bytes.
fn is_sync(first: u8, second: u8) -> bool {
    first == 0xff && second & 0xe0 == 0xe0
}

fn is_padding(byte: u8) -> bool {
    byte == 0 || byte == 0xff
}

/// Returns the number of `bytes` that are not padding. Each partial sum fits in a byte, so that the processor compares
/// many bytes at once.
fn count_unpadded(bytes: &[u8]) -> u64 {
    let of_piece = |piece: &[u8]| piece.iter().fold(0_u8, |sum, byte| sum + u8::from(!is_padding(*byte)));
    bytes.chunks(usize::from(u8::MAX)).map(|piece| u64::from(of_piece(piece))).sum()
}

/// The duration of a stream of MPEG audio, fed in pieces of any size.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct MpegChain {
    /// The last bytes, up to four, since the end of the last frame.
    recent: u32,
    recent_count: u8,
    /// The number of bytes of the current frame that are still to come.
    left: u64,
    /// True if bytes other than zeros came since the end of the last frame, apart from the recent ones.
    gap: bool,
    /// The number of bytes in no frame, apart from zeros and 0xff.
    gap_bytes: u64,
    /// The first frame after a gap, until the bytes after it confirm or refute it.
    doubted: Option<Frame>,
    /// The rate of the last counted frame.
    last_rate: Option<u32>,
    played: Played,
    frames: u64,
}

impl MpegChain {
    /// Counts the next bytes.
    pub(in super::super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= u64::try_from(count).unwrap_or(u64::MAX);
                bytes = bytes.get(count..).unwrap_or_default();
            } else {
                bytes = self.search(bytes);
            }
        }
    }

    /// Looks for the next header in `bytes`. Returns the bytes after it.
    fn search<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.recent_count == 4 {
                let [oldest, ..] = self.recent.to_be_bytes();
                self.gap |= oldest != 0;
                // If no header has begun, no bytes need to be compared one at a time.
                if !self.has_sync(byte) {
                    return self.pass_over(bytes);
                }
                self.gap_bytes += u64::from(!is_padding(oldest));
            } else {
                self.recent_count += 1;
            }
            self.recent = self.recent << 8 | u32::from(byte);
            bytes = rest;
            if self.recent_count == 4
                && let Some(frame) = Frame::parse(self.recent.to_be_bytes())
            {
                self.found(frame);
                return bytes;
            }
        }
        bytes
    }

    /// Returns true if a header could begin with one of the recent bytes except the oldest. `next` follows the last of
    /// them.
    fn has_sync(&self, next: u8) -> bool {
        let [_, second, third, last] = self.recent.to_be_bytes();
        is_sync(second, third) || is_sync(third, last) || is_sync(last, next)
    }

    /// Skips bytes up to the next that could begin a header.
    fn pass_over<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let count = find_pair(bytes, memchr::memchr_iter(0xff, bytes), is_sync).unwrap_or(bytes.len());
        let (passed, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
        self.gap |= self.recent != 0 || passed.iter().any(|&byte| byte != 0);
        self.gap_bytes += count_unpadded(passed) + count_unpadded(&self.recent.to_be_bytes());
        (self.recent, self.recent_count) = (0, 0);
        rest
    }

    fn found(&mut self, frame: Frame) {
        let doubted = self.doubted.take();
        if self.gap {
            self.doubted = Some(frame);
        } else {
            if let Some(first) = doubted.filter(|first| first.matches(frame)) {
                self.count(first);
            }
            self.count(frame);
        }
        self.left = frame.bytes.saturating_sub(4);
        (self.recent, self.recent_count, self.gap) = (0, 0, false);
    }

    fn count(&mut self, frame: Frame) {
        // If the rate changes, ffmpeg plays the first frame of the new rate at the old one.
        let last_rate = self.last_rate.replace(frame.rate).unwrap_or(frame.rate);
        self.played.add(frame.samples.into(), frame.rate.min(last_rate));
        self.frames += 1;
    }

    /// Ends the stream. Bytes fed later are another stream, which plays after it.
    pub(in super::super) fn finish(&mut self) {
        let Self { played, frames, gap_bytes, last_rate, .. } = *self;
        *self = Self { gap_bytes, last_rate, played, frames, ..Self::default() };
    }

    /// Returns the duration of the frames so far, in nanoseconds.
    pub(in super::super) fn played_nanos(&self) -> u64 {
        self.played.nanos()
    }

    /// Returns the number of frames counted.
    pub(in super::super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns the number of bytes in no frame, apart from zeros and 0xff.
    pub(in super::super) fn gap_bytes(&self) -> u64 {
        self.gap_bytes
    }
}

/// A counter of MPEG audio packets. Some demuxers read the bytes of each packet as separate frames, others join all
/// packets to one stream: the longer duration counts.
#[derive(Debug, Default)]
pub(super) struct Mpeg {
    joined: MpegChain,
    apart: MpegChain,
}

impl Count for Mpeg {
    fn begin(&mut self, _size: u64) -> Wants {
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.joined.feed(bytes);
        self.apart.feed(bytes);
    }

    fn end(&mut self) {
        self.apart.finish();
    }

    fn played(&self) -> u64 {
        self.joined.played_nanos().max(self.apart.played_nanos())
    }
}
