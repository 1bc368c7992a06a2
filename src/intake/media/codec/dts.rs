//! DTS core frames (ETSI TS 102 114 §5.3), in words of 16 bits or with 14 of 16 bits in use, in either byte order.

use super::chain::{Chain, FrameHead, Frames};
use super::played::Played;
use super::{Count, Head, Wants};

/// The sampling rates by code; 0 for unused codes.
const RATES: [u32; 16] =
    [0, 8_000, 16_000, 32_000, 0, 0, 11_025, 22_050, 44_100, 0, 0, 12_000, 24_000, 48_000, 96_000, 192_000];
/// The minimum size of a core frame in bytes.
const MIN_BYTES: u32 = 96;

/// The first bytes of an extension without a core (§7.4.1). Its duration is not easy to read, so it counts as the
/// maximum number of samples of an extension, at the lowest rate.
pub(super) const EXTENSION: [u8; 4] = [0x64, 0x58, 0x20, 0x25];
const MAX_EXTENSION: (u64, u32) = (65_536, 8_000);

/// The heads of DTS core frames.
#[derive(Debug, Default)]
pub(in super::super) struct DtsFrames;

impl Frames for DtsFrames {
    const HEAD: usize = 12;

    fn find(bytes: &[u8]) -> Option<usize> {
        // Each of the two sync words begins with two bytes, in either order, and one byte of each pair is 7f or 1f. One
        // search finds them all: a search for each would look at the same bytes again and again, once for every false
        // start of the other.
        let is_pair = |at: usize| {
            let pair = (bytes.get(at), bytes.get(at + 1));
            matches!(
                pair,
                (Some(0x7f), Some(0xfe))
                    | (Some(0xfe), Some(0x7f))
                    | (Some(0x1f), Some(0xff))
                    | (Some(0xff), Some(0x1f))
            )
        };
        let pair = memchr::memchr2_iter(0x7f, 0x1f, bytes).find_map(|at| {
            let before = at.checked_sub(1).filter(|&before| is_pair(before));
            before.or_else(|| is_pair(at).then_some(at))
        });
        // The next bytes decide whether a head begins with the last one.
        let last =
            bytes.len().checked_sub(1).filter(|&last| matches!(bytes.get(last), Some(0x7f | 0xfe | 0x1f | 0xff)));
        pair.or(last)
    }

    fn read(&mut self, head: &[u8], _next: bool) -> Option<FrameHead> {
        frame(*head.first_chunk()?)
    }
}

/// Reads a head in any of the forms.
fn frame(head: [u8; 12]) -> Option<FrameHead> {
    let mut swapped = head;
    swapped.chunks_exact_mut(2).for_each(<[u8]>::reverse);
    match head {
        [0x7f, 0xfe, 0x80, 0x01, ..] => core(bits(head, 16), 8),
        [0xfe, 0x7f, 0x01, 0x80, ..] => core(bits(swapped, 16), 8),
        [0x1f, 0xff, 0xe8, 0x00, 0x07, 0xf0..=0xff, ..] => core(bits(head, 14), 7),
        [0xff, 0x1f, 0x00, 0xe8, 0xf0..=0xff, 0x07, ..] => core(bits(swapped, 14), 7),
        _ => None,
    }
}

/// Joins the lower `each` bits of the words, starting from the highest bit of the result.
fn bits(head: [u8; 12], each: u32) -> u128 {
    let words = head.chunks_exact(2).map(|word| word.iter().fold(0_u128, |word, byte| word << 8 | u128::from(*byte)));
    let all = words.fold(0, |all, word| all << each | word & ((1 << each) - 1));
    all << (128 - 6 * each)
}

/// Reads a head. `eighths`: the used eighths of the bits in its bytes.
fn core(bits: u128, eighths: u64) -> Option<FrameHead> {
    let field = |at: u32, count: u32| u32::try_from(bits << at >> (128 - count)).unwrap_or_default();
    let (short, blocks, size, rate) = (field(33, 5), field(39, 7) + 1, field(46, 14) + 1, field(66, 4));
    let rate = *RATES.get(usize::try_from(rate).ok()?)?;
    if short != 31 || blocks % 8 != 0 || size < MIN_BYTES || rate == 0 {
        return None;
    }
    Some(FrameHead { bytes: u64::from(size) * 8 / eighths, samples: blocks * 32, rate })
}

/// A stream of DTS frames.
pub(in super::super) type DtsChain = Chain<DtsFrames>;

/// A counter of DTS packets.
#[derive(Debug)]
pub(super) struct Dts {
    chain: DtsChain,
    head: Head<4>,
    frames_before: u64,
    /// The maximum duration of the packets without a core.
    others: Played,
}

impl Default for Dts {
    fn default() -> Self {
        Self { chain: Chain::new(DtsFrames), head: Head::default(), frames_before: 0, others: Played::default() }
    }
}

impl Count for Dts {
    fn begin(&mut self, _size: u64) -> Wants {
        self.frames_before = self.chain.frames();
        self.head.clear();
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.chain.feed(bytes);
        self.head.push(bytes);
    }

    fn end(&mut self) {
        self.chain.finish();
        if self.chain.frames() == self.frames_before && self.head.bytes() == EXTENSION {
            let (samples, rate) = MAX_EXTENSION;
            self.others.add(samples, rate);
        }
    }

    fn played(&self) -> u64 {
        self.chain.played_nanos().saturating_add(self.others.nanos())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::bits::written;
    use super::super::play;
    use super::*;

    /// Builds a core frame: 48 kHz, 512 samples, 112 bytes.
    fn frame() -> Vec<u8> {
        let fields = [(0x7ffe_8001, 32), (1, 1), (31, 5), (0, 1), (15, 7), (111, 14), (2, 6), (13, 4), (0, 26)];
        let mut frame = written(&fields, false);
        frame.resize(112, 0x55);
        frame
    }

    fn swapped(bytes: &[u8]) -> Vec<u8> {
        bytes.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect()
    }

    /// Packs the bytes in words of 14 bits, each with its sign extended.
    fn fourteen(bytes: &[u8]) -> Vec<u8> {
        let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
        let word = |bits: &[u8]| {
            let value = bits.iter().fold(0_u16, |value, bit| value << 1 | u16::from(*bit)) << (14 - bits.len());
            (if value & 0x2000 == 0 { value } else { value | 0xc000 }).to_be_bytes()
        };
        bits.chunks(14).flat_map(word).collect()
    }

    proptest! {
        #[test]
        fn the_first_pair_is_found_among_false_starts(
            bytes in vec(select(vec![0x7f, 0xfe, 0x1f, 0xff, 0x00]), 0..40),
        ) {
            let begins = |at: &usize| match bytes[*at..] {
                [first, second, ..] => {
                    matches!((first, second), (0x7f, 0xfe) | (0xfe, 0x7f) | (0x1f, 0xff) | (0xff, 0x1f))
                }
                [last] => last != 0,
                [] => false,
            };
            prop_assert_eq!(DtsFrames::find(&bytes), (0..bytes.len()).find(begins));
        }
    }

    #[test]
    fn frames_are_found_in_every_form() {
        let plain = frame().repeat(7);
        let narrow = fourteen(&plain);
        for bytes in [swapped(&plain), swapped(&narrow), plain, narrow] {
            assert_eq!(play(&mut Dts::default(), [&[&[9; 5], &bytes[..]].concat()[..]]), 74);
        }
    }

    #[test]
    fn an_extension_without_a_core_is_as_long_as_it_can_be() {
        let extension = [0x64, 0x58, 0x20, 0x25, 0, 0];
        assert_eq!(play(&mut Dts::default(), [&extension[..], &[0; 99]]), 8_192);
        assert_eq!(play(&mut Dts::default(), [&[&frame()[..], &extension].concat()[..]]), 10);
    }
}
