//! AAC as a stream of bytes: ADTS frames, which have their own head (ISO/IEC 14496-3 §1.A.2), and LOAS frames (§1.7.2).

use super::aac::{Aac, Adts};
use super::chain::{Chain, FrameHead, Frames, find_pair};
use super::{Count, Wants};

/// The size of a frame's head in bytes, without its checksum.
const HEAD: usize = 7;

/// The duration of a stream of ADTS frames, fed in pieces of any size. Bytes outside frames are skipped.
#[derive(Debug)]
pub(in super::super) struct AdtsChain {
    aac: Aac,
    /// The bytes that may be a head.
    held: Vec<u8>,
    /// The number of bytes of the current frame that are still to come.
    left: u64,
    frames: u64,
}

impl Default for AdtsChain {
    fn default() -> Self {
        Self { aac: Aac::of_rate(44_100), held: Vec::with_capacity(HEAD), left: 0, frames: 0 }
    }
}

/// Returns true if an ADTS head could begin with these bytes: twelve one bits and, after the next bit, two zero bits.
pub(super) fn is_adts(first: u8, second: u8) -> bool {
    first == 0xff && second & 0xf6 == 0xf0
}

/// Returns true if a LOAS head could begin with these bytes: its eleven sync bits.
fn is_loas(first: u8, second: u8) -> bool {
    first == 0x56 && second >= 0xe0
}

/// Returns the size in bytes of the LOAS frame that begins with `head`, if one does.
pub(super) fn loas_bytes([first, high, low]: [u8; 3]) -> Option<u64> {
    is_loas(first, high).then(|| u64::from(u16::from_be_bytes([high & 0x1f, low])) + 3)
}

/// Returns the first position in `bytes` at which an ADTS head could begin.
fn find_head(bytes: &[u8]) -> usize {
    find_pair(bytes, memchr::memchr_iter(0xff, bytes), is_adts).unwrap_or(bytes.len())
}

impl AdtsChain {
    /// Counts the next bytes.
    pub(in super::super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (now, later) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
                self.left -= u64::try_from(count).unwrap_or(u64::MAX);
                self.aac.bytes(now);
                if self.left == 0 {
                    self.aac.end();
                }
                bytes = later;
                continue;
            }
            if self.held.is_empty() {
                let start = find_head(bytes);
                bytes = bytes.get(start..).unwrap_or_default();
            }
            let count = bytes.len().min(HEAD.saturating_sub(self.held.len()));
            let (now, later) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == HEAD {
                self.head();
            }
        }
    }

    /// Reads the held bytes as a head, or drops the first byte.
    fn head(&mut self) {
        let Some(size) = Adts::parse(&self.held).and_then(|head| head.frame_bytes) else {
            let rest = self.held.get(1..).unwrap_or_default();
            let start = find_head(rest);
            self.held.drain(..=start);
            return;
        };
        self.frames += 1;
        self.aac.begin(size);
        self.aac.bytes(&self.held);
        self.left = size.saturating_sub(u64::try_from(self.held.len()).unwrap_or(u64::MAX));
        self.held.clear();
        if self.left == 0 {
            self.aac.end();
        }
    }

    /// Returns the duration of the frames so far, in nanoseconds.
    pub(in super::super) fn played_nanos(&self) -> u64 {
        self.aac.played()
    }

    /// Returns the number of frames found.
    pub(in super::super) fn frames(&self) -> u64 {
        self.frames
    }
}

/// A counter for AAC whose packets are mere pieces of a stream, as in WAV. If the whole stream has no frame, it may
/// consist of blocks without heads, which only a decoder with further information can separate.
#[derive(Debug, Default)]
pub(super) struct AdtsStream {
    chain: AdtsChain,
    bytes: u64,
}

impl Count for AdtsStream {
    fn begin(&mut self, size: u64) -> Wants {
        self.bytes = self.bytes.saturating_add(size);
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.chain.feed(bytes);
    }

    fn played(&self) -> u64 {
        self.chain.played_nanos()
    }

    fn stray(&self) -> u64 {
        if self.chain.frames() == 0 { self.bytes } else { self.chain.aac.stray() }
    }
}

/// The heads of ADTS frames. A frame's duration depends on its content, which [`AdtsChain`] reads: this type only detects ADTS.
#[derive(Debug, Default)]
pub(super) struct AdtsFrames;

impl Frames for AdtsFrames {
    const HEAD: usize = HEAD;

    fn find(bytes: &[u8]) -> Option<usize> {
        find_pair(bytes, memchr::memchr_iter(0xff, bytes), is_adts)
    }

    fn read(&mut self, head: &[u8], _next: bool) -> Option<FrameHead> {
        let bytes = Adts::parse(head)?.frame_bytes?;
        Some(FrameHead { bytes, samples: 1024, rate: 44_100 })
    }
}

/// The heads of LOAS frames. They do not state a frame's duration: this type only detects LOAS.
#[derive(Debug, Default)]
pub(in super::super) struct LoasFrames;

impl Frames for LoasFrames {
    const HEAD: usize = 3;

    fn find(bytes: &[u8]) -> Option<usize> {
        find_pair(bytes, memchr::memchr_iter(0x56, bytes), is_loas)
    }

    fn read(&mut self, head: &[u8], _next: bool) -> Option<FrameHead> {
        let bytes = loas_bytes(*head.first_chunk()?)?;
        Some(FrameHead { bytes, samples: 1024, rate: 44_100 })
    }
}

/// A stream of LOAS frames.
pub(in super::super) type LoasChain = Chain<LoasFrames>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a frame at 16 kHz with `blocks` blocks of silence.
    fn frame(blocks: usize) -> Vec<u8> {
        let size = u16::try_from(7 + 4 * blocks).unwrap() << 5 | 0x1f;
        let [high, low] = size.to_be_bytes();
        let mut frame = vec![0xff, 0xf1, 0x60, 0x40, high, low, 0xfc];
        frame.extend([0, 0, 0, 7].repeat(blocks));
        frame
    }

    #[test]
    fn a_stream_plays_the_blocks_of_its_frames() {
        let bytes = [b"junk".to_vec(), frame(1), frame(5), vec![0xff; 99], frame(1), vec![0; 99], frame(1)].concat();
        for size in [1, 6, 100_000] {
            let mut chain = AdtsChain::default();
            bytes.chunks(size).for_each(|piece| chain.feed(piece));
            assert_eq!((chain.played_nanos() / 1_000_000, chain.frames()), (8 * 64, 4), "{size}");
        }
    }

    #[test]
    fn blocks_without_heads_are_not_known_for_what_they_are() {
        let mut stream = AdtsStream::default();
        assert_eq!(super::super::play(&mut stream, [&[0_u8, 0, 0, 7].repeat(10)[..]]), 0);
        assert_eq!(stream.stray(), 40);
    }

    #[test]
    fn frames_of_the_other_kind_are_found() {
        let mut chain = LoasChain::default();
        chain.feed(&[0x56, 0xe0, 2, 9, 9, 0x56, 0xe0, 0, 0x56, 0xe1, 0, 7]);
        assert_eq!(chain.frames(), 3);
    }
}
