//! Sound that is said to be 16-bit PCM and is something else.
//!
//! Decoders know CDs' worth of files whose WAV header says PCM over frames of AC-3, DTS, MP3 or AAC, and play what they find.
//! What looks like that at its beginning is counted in every such way beside what it says, and the longest counts.

use super::ac3::{Ac3Chain, Ac3Frames};
use super::adts::{AdtsChain, LoasChain};
use super::chain::Chain;
use super::dts::{DtsChain, DtsFrames, EXTENSION};
use super::mpeg::{Frame, MpegChain};
use super::table::{self, Codec};
use super::{Count, Wants};

/// How many frames one behind the other are no coincidence.
const FRAMES: u64 = 3;
/// How many heads of frames are no coincidence wherever they are, of a kind that chance makes every few kilobytes.
const SCATTERED: u64 = 80;
/// What the units of `TrueHD` have now and then, behind four bytes.
const TRUEHD: &[u8] = &[0xf8, 0x72, 0x6f, 0xba];

/// What sound that is said to be PCM looks like by its `beginning`; `None` if it looks like PCM.
pub(in super::super) fn of_pcm(beginning: &[u8]) -> Option<Codec> {
    let marks = |mark: &[u8]| memchr::memmem::find_iter(beginning, mark).count();
    let mut dts = Chain::new(DtsFrames);
    dts.feed(beginning);
    let mut loas = LoasChain::new(super::adts::LoasFrames);
    loas.feed(beginning);
    if loas.first_frames() >= FRAMES || loas.frames() >= SCATTERED && loas.frame_bytes() * 2 > length(beginning) {
        return Some(table::AAC_LATM);
    }
    if beginning.get(4..).is_some_and(|bytes| bytes.starts_with(TRUEHD)) || marks(TRUEHD) > 1 {
        return Some(table::TRUEHD);
    }
    if marks(&EXTENSION) > 2 && dts.frames() < FRAMES {
        return Some(table::DTS_EXPRESS);
    }
    let mut mpeg = MpegChain::default();
    mpeg.feed(beginning);
    let mut ac3 = Chain::new(Ac3Frames::default());
    ac3.feed(beginning);
    let mut adts = AdtsChain::default();
    adts.feed(beginning);
    let looks = mpeg.frames() >= FRAMES
        || dts.frames() >= FRAMES
        || ac3.first_frames() >= FRAMES
        || ac3.frames() >= SCATTERED
        || adts.first_frames() >= FRAMES
        || adts.frames() >= SCATTERED;
    looks.then_some(table::DISGUISED)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Counts what is said to be PCM by the frames in it, of whatever kind plays longest.
#[derive(Debug)]
pub(super) struct Disguised {
    mpeg: MpegChain,
    ac3: Ac3Chain,
    dts: DtsChain,
    adts: AdtsChain,
}

impl Default for Disguised {
    fn default() -> Self {
        let (mpeg, adts) = (MpegChain::default(), AdtsChain::default());
        Self { mpeg, ac3: Chain::new(Ac3Frames::default()), dts: Chain::new(DtsFrames), adts }
    }
}

impl Count for Disguised {
    fn begin(&mut self, _size: u64) -> Wants {
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.mpeg.feed(bytes);
        self.ac3.feed(bytes);
        self.dts.feed(bytes);
        self.adts.feed(bytes);
    }

    fn played(&self) -> u64 {
        let others = [self.ac3.played_nanos(), self.dts.played_nanos(), self.adts.played_nanos()];
        others.into_iter().fold(self.mpeg.played_nanos(), u64::max)
    }
}

/// Where in `bytes` a stream of MPEG audio begins: the first frame that is followed by enough others like it. At the very
/// start one follower is enough; further in, where chance is to be reckoned with, it takes two. `ends` says that the file
/// ends with `bytes`, so that a last frame may be followed by nothing.
pub(in super::super) fn find_mpeg(bytes: &[u8], ends: bool) -> Option<usize> {
    memchr::memchr_iter(0xff, bytes).find(|&at| {
        let followers = if at == 0 { 1 } else { 2 };
        let mut next = at;
        let mut first: Option<Frame> = None;
        for seen in 0..=followers {
            let header = bytes.get(next..).and_then(<[u8]>::first_chunk).copied();
            let Some(frame) = header.and_then(Frame::parse) else { return seen > 0 && ends && next == bytes.len() };
            if first.is_some_and(|first| !first.matches(frame)) {
                return false;
            }
            first.get_or_insert(frame);
            next = next.saturating_add(usize::try_from(frame.bytes).unwrap_or(usize::MAX));
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of AC-3: 256 bytes, 32 ms.
    fn ac3() -> Vec<u8> {
        let mut frame = vec![0x11; 256];
        frame[..7].copy_from_slice(&[0x0b, 0x77, 0, 0, 0x08, 0x40, 0x43]);
        frame
    }

    #[test]
    fn frames_behind_a_header_of_pcm_are_found() {
        let mpeg = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
        let adts = [0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7];
        for frame in [ac3(), mpeg, adts.to_vec()] {
            assert_eq!(of_pcm(&frame.repeat(9)), Some(table::DISGUISED));
        }
        assert_eq!(of_pcm(&[0x56, 0xe0, 2, 9, 9].repeat(9)), Some(table::AAC_LATM));
        assert_eq!(of_pcm(&[&[0; 4], TRUEHD, &[0; 900]].concat()), Some(table::TRUEHD));
        assert_eq!(of_pcm(&[&EXTENSION[..], &[0; 900]].concat().repeat(4)), Some(table::DTS_EXPRESS));
    }

    #[test]
    fn noise_is_pcm() {
        let mut random = 7_u32;
        let mut byte = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.to_be_bytes()[0]
        };
        let noise: Vec<u8> = (0..128 * 1024).map(|_| byte()).collect();
        assert_eq!((of_pcm(&noise), of_pcm(&[0; 9_999]), of_pcm(&[0xff; 9_999])), (None, None, None));
    }

    #[test]
    fn the_kind_that_plays_longest_counts() {
        let bytes = [ac3().repeat(50), [0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7].repeat(10)].concat();
        assert_eq!(super::super::play(&mut Disguised::default(), [&bytes[..]]), 1_600);
    }
}
