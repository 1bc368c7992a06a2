//! AC-3 and Enhanced AC-3 (ETSI TS 102 366 §4.4.1 and annex E §E.1.3.1), frame by frame.
//!
//! A decoder conceals a frame with a damaged head with as much sound as the previous frame had, so such a frame counts
//! with that duration.

use super::chain::{Chain, FrameHead, Frames, find_pair};
use super::{Count, Wants};

const RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// The bit rates of AC-3 by code, in kilobits a second.
const KILOBITS: [u32; 19] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
const BLOCK: u32 = 256;

/// The heads of AC-3 frames.
#[derive(Debug, Default)]
pub(in super::super) struct Ac3Frames {
    last: Option<FrameHead>,
}

/// Reads a head. Returns true with it if the frame adds channels to the previous frame.
fn parse(head: [u8; 6]) -> Option<(FrameHead, bool)> {
    let [_, _, type_and_size, size, codes, id] = head;
    let id = id >> 3;
    if id <= 10 {
        let rate = RATES.get(usize::from(codes >> 6))? >> (id.max(8) - 8);
        let code = codes & 0x3f;
        let kilobits = KILOBITS.get(usize::from(code >> 1))?;
        let words = match codes >> 6 {
            0 => kilobits * 2,
            1 => kilobits * 960 / 441 + u32::from(code & 1),
            _ => kilobits * 3,
        };
        return Some((FrameHead { bytes: u64::from(words * 2), samples: 6 * BLOCK, rate }, false));
    }
    let stream = type_and_size >> 6;
    let words = (u32::from(type_and_size & 0b111) << 8 | u32::from(size)) + 1;
    if id > 16 || stream == 3 || words < 4 {
        return None;
    }
    let (rate, blocks) = match codes >> 6 {
        // Code 3 means half the rate, and all six blocks.
        3 => (RATES.get(usize::from(codes >> 4 & 0b11))? / 2, 6),
        code => (*RATES.get(usize::from(code))?, *[1, 2, 3, 6].get(usize::from(codes >> 4 & 0b11))?),
    };
    Some((FrameHead { bytes: u64::from(words * 2), samples: blocks * BLOCK, rate }, stream == 1))
}

impl Frames for Ac3Frames {
    const HEAD: usize = 6;

    fn find(bytes: &[u8]) -> Option<usize> {
        let pair = |first, second| matches!((first, second), (0x0b, 0x77) | (0x77, 0x0b));
        find_pair(bytes, memchr::memchr2_iter(0x0b, 0x77, bytes), pair)
    }

    fn read(&mut self, head: &[u8], next: bool) -> Option<FrameHead> {
        let mut head: [u8; 6] = *head.first_chunk()?;
        if head.starts_with(&[0x77, 0x0b]) {
            // The words are 16 bits, the lower byte first.
            head.chunks_exact_mut(2).for_each(<[u8]>::reverse);
        }
        if !head.starts_with(&[0x0b, 0x77]) {
            return None;
        }
        let Some((frame, dependent)) = parse(head) else { return self.last };
        if dependent && next && self.last.is_some() {
            return Some(FrameHead { samples: 0, ..frame });
        }
        self.last = Some(frame);
        Some(frame)
    }
}

/// A stream of AC-3 frames.
pub(in super::super) type Ac3Chain = Chain<Ac3Frames>;

/// A counter of AC-3 packets.
#[derive(Debug)]
pub(super) struct Ac3(Ac3Chain);

impl Default for Ac3 {
    fn default() -> Self {
        Self(Chain::new(Ac3Frames::default()))
    }
}

impl Count for Ac3 {
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

#[cfg(test)]
mod tests {
    use super::super::play;
    use super::*;

    /// Builds a frame of AC-3: 48 kHz, 64 kbit/s, 256 bytes, 32 ms.
    fn frame() -> Vec<u8> {
        let mut frame = vec![0; 256];
        frame[..7].copy_from_slice(&[0x0b, 0x77, 0, 0, 0x08, 0x40, 0x43]);
        frame
    }

    /// Builds a frame of Enhanced AC-3: of stream type `kind`, 48 kHz, `blocks` by code, 64 bytes.
    fn enhanced(kind: u8, blocks: u8) -> Vec<u8> {
        let mut frame = vec![0; 64];
        frame[..6].copy_from_slice(&[0x0b, 0x77, kind << 6, 31, blocks << 4 | 0x04, 0x80]);
        frame
    }

    #[test]
    fn a_head_gives_size_and_length() {
        let head = |codes, id: u8| parse([0x0b, 0x77, 0, 0, codes, id << 3]).map(|(head, _)| (head.bytes, head.rate));
        assert_eq!(head(0x08, 8), Some((256, 48_000)));
        assert_eq!((head(0x48, 8), head(0x49, 8)), (Some((278, 44_100)), Some((280, 44_100))));
        assert_eq!((head(0x88, 8), head(0x08, 9)), (Some((384, 32_000)), Some((256, 24_000))));
        assert_eq!((head(0xc8, 8), head(0x26, 8), head(0x08, 17)), (None, None, None));
    }

    #[test]
    fn a_packet_plays_all_frames_that_are_in_it() {
        assert_eq!(play(&mut Ac3::default(), [&frame().repeat(10)[..], &frame()]), 11 * 32);
        // The lower byte of each pair comes first, with junk between frames.
        let swapped: Vec<u8> = frame().chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        assert_eq!(play(&mut Ac3::default(), [&[&swapped[..], &[1; 99], &swapped].concat()[..]]), 64);
    }

    #[test]
    fn channels_that_are_added_play_along() {
        let packet = [enhanced(0, 3), enhanced(1, 3), enhanced(0, 0), enhanced(1, 0)].concat();
        assert_eq!(play(&mut Ac3::default(), [&packet[..]]), 37);
        assert_eq!(play(&mut Ac3::default(), [&enhanced(1, 3)[..]]), 32);
    }

    #[test]
    fn a_damaged_head_plays_as_long_as_the_one_before() {
        assert_eq!(play(&mut Ac3::default(), [&frame()[..], &[0x0b, 0x77, 0xff, 0xff, 0xff, 0xff], &[0x0b, 0x77]]), 96);
        assert_eq!(play(&mut Ac3::default(), [&[0x0b, 0x77, 0xff, 0xff, 0xff, 0xff][..]]), 0);
    }
}
