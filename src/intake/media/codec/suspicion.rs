//! Sound that a header calls 16-bit PCM, but that is compressed.
//!
//! Decoders know CDs' worth of files whose WAV header says PCM over frames of AC-3, DTS, MP3 or AAC, and play the
//! frames. If the first bytes look like that, the file is counted in each of these ways beside the stated one, and the
//! longest duration counts.

use super::ac3::{Ac3Chain, Ac3Frames};
use super::adts::{AdtsChain, AdtsFrames, LoasChain, LoasFrames};
use super::chain::Chain;
use super::dts::{DtsChain, DtsFrames, EXTENSION};
use super::mpeg::{Frame, MpegChain};
use super::screen::{FRAMES, SCATTERED, TRUEHD, is_plain};
use super::table::{self, Codec};
use super::{Count, Wants};
use crate::intake::media::players::IEC_61937;

/// Returns the codec that the `beginning` of declared PCM looks like; `None` if it looks like PCM.
pub(in super::super) fn of_pcm(beginning: &[u8]) -> Option<Codec> {
    if is_plain(beginning) { None } else { examine(beginning) }
}

/// Follows the chain of each kind of frames through `beginning`.
fn examine(beginning: &[u8]) -> Option<Codec> {
    let marks = |mark: &[u8]| memchr::memmem::find_iter(beginning, mark).count();
    if is_s_pdif(beginning) {
        return Some(table::IEC_61937);
    }
    let mut dts = Chain::new(DtsFrames);
    dts.feed(beginning);
    let mut loas = LoasChain::new(LoasFrames);
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
    let mut adts = Chain::new(AdtsFrames);
    adts.feed(beginning);
    let is_suspect = mpeg.frames() >= FRAMES
        || dts.frames() >= FRAMES
        || ac3.first_frames() >= FRAMES
        || ac3.frames() >= SCATTERED
        || adts.first_frames() >= FRAMES
        || adts.frames() >= SCATTERED;
    is_suspect.then_some(table::DISGUISED)
}

/// Returns true if the samples are bursts of compressed sound, as S/PDIF carries them in place of PCM.
pub(in super::super) fn is_s_pdif(beginning: &[u8]) -> bool {
    memchr::memmem::find_iter(beginning, IEC_61937).count() > 1
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A counter for declared PCM that counts the frames in it, of the kind with the longest duration.
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

/// A counter for bare MPEG frames in a file that does not begin with such frames. Players may read it as another stream
/// of frames, and then the longest duration counts; or as an unknown format, and then bytes outside frames are stray.
#[derive(Debug)]
pub(super) struct AmongOthers {
    frames: Disguised,
    /// True if bytes outside frames are stray.
    gaps: bool,
}

impl AmongOthers {
    pub(super) fn new(gaps: bool) -> Self {
        Self { frames: Disguised::default(), gaps }
    }
}

/// The maximum number of bytes that a file cut out of a longer one has beside frames: part of a frame in front, and a
/// tag at the end.
const MAX_TRIMMINGS: u64 = 2_048;

impl Count for AmongOthers {
    fn begin(&mut self, size: u64) -> Wants {
        self.frames.begin(size)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.frames.bytes(bytes);
    }

    fn played(&self) -> u64 {
        self.frames.played()
    }

    fn stray(&self) -> u64 {
        if self.gaps { self.frames.mpeg.gap_bytes().saturating_sub(MAX_TRIMMINGS) } else { 0 }
    }
}

/// Returns the length of the start of `bytes` that every player reads as MPEG frames: seven frames or, if the file
/// `ends` with `bytes`, nothing but frames. Zeros before the frames do not matter.
pub(in super::super) fn leading_mpeg(bytes: &[u8], ends: bool) -> Option<u64> {
    const SETTLED_BY: usize = 7;
    let mut next = bytes.iter().take_while(|byte| **byte == 0).count();
    for seen in 0..SETTLED_BY {
        let header = bytes.get(next..).and_then(<[u8]>::first_chunk).copied();
        let Some(frame) = header.and_then(Frame::parse) else {
            let rest = bytes.get(next..).unwrap_or_default();
            return (seen > 0 && ends && rest.is_empty()).then(|| length(bytes));
        };
        next = next.saturating_add(usize::try_from(frame.bytes).unwrap_or(usize::MAX));
    }
    u64::try_from(next).ok()
}

/// Returns the position in `bytes` at which a stream of MPEG audio begins: the first frame with enough matching frames
/// after it. At the very start one is enough; further in, where chance matters, it takes two. `ends`: the file ends
/// with `bytes`, so that a last frame needs no follower.
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
    use proptest::prelude::*;

    use super::*;

    /// Builds a frame of AC-3: 256 bytes, 32 ms.
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
    fn frames_that_lead_are_mpeg_to_everybody() {
        let frame = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
        assert_eq!(leading_mpeg(&frame.repeat(9), false), Some(7 * 192));
        assert_eq!(leading_mpeg(&[vec![0; 99], frame.repeat(9)].concat(), false), Some(99 + 7 * 192));
        assert_eq!(
            (leading_mpeg(&frame.repeat(6), false), leading_mpeg(&frame.repeat(6), true)),
            (None, Some(6 * 192))
        );
        for other in [[&b"x"[..], &frame.repeat(9)].concat(), [&frame.repeat(6), &b"x"[..]].concat(), vec![0; 99]] {
            assert_eq!(leading_mpeg(&other, true), None);
        }
    }

    #[test]
    fn what_is_in_no_frame_is_stray_where_other_frames_could_play() {
        let frame = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
        for (gap, stray) in
            [(vec![0x33; 2_000], 0), (vec![0x33; 3_000], 952), (vec![0; 9_000], 0), (vec![0xff; 9_000], 0)]
        {
            let mut count = AmongOthers::new(true);
            super::super::play(&mut count, [&[gap, frame.repeat(9)].concat()[..]]);
            assert_eq!((count.stray(), count.played() / 1_000_000), (stray, 9 * 24));
        }
        // The longest of the possible durations counts.
        let mut count = AmongOthers::new(true);
        assert_eq!(super::super::play(&mut count, [&[frame.repeat(2), ac3().repeat(50)].concat()[..]]), 1_600);
    }

    #[test]
    fn bursts_of_s_pdif_are_found() {
        let burst = [IEC_61937, &[0; 6_140]].concat();
        assert_eq!(of_pcm(&burst.repeat(2)), Some(table::IEC_61937));
        assert_eq!(of_pcm(&burst), None);
    }

    fn noise() -> Vec<u8> {
        let mut random = 7_u32;
        let mut byte = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.to_be_bytes()[0]
        };
        (0..128 * 1024).map(|_| byte()).collect()
    }

    #[test]
    fn noise_is_pcm() {
        for bytes in [noise(), vec![0; 9_999], vec![0xff; 9_999], Vec::new()] {
            assert_eq!(examine(&bytes), None);
            assert!(is_plain(&bytes), "at the first look");
        }
    }

    /// The beginnings of frames of every kind, and what may come between frames.
    fn snippet() -> impl Strategy<Value = Vec<u8>> {
        let mpeg = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
        let adts = vec![0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7];
        let dts = [&[0x7f, 0xfe, 0x80, 0x01, 0xfc, 0x3c, 0x3f, 0xf0, 0xb5, 0xe0, 0, 0][..], &[0; 84]].concat();
        let narrow = vec![0x1f, 0xff, 0xe8, 0x00, 0x07, 0xf0, 0, 0, 0, 0, 0, 0];
        let loas = vec![0x56, 0xe0, 2, 9, 9];
        let marks = [IEC_61937, TRUEHD, &EXTENSION, &[0x77, 0x0b], &[0x0b, 0x77], &[0xff], &[0x56]].map(<[u8]>::to_vec);
        let frames = [mpeg.clone(), mpeg[..4].to_vec(), adts.clone(), adts[..7].to_vec(), dts, narrow, loas, ac3()];
        prop_oneof![
            4 => proptest::sample::select([&frames[..], &marks].concat()),
            1 => (0..99_usize).prop_map(|count| vec![0; count]),
            1 => proptest::collection::vec(any::<u8>(), 0..99),
        ]
    }

    proptest! {
        /// Nothing passes the screen that the closer look would suspect.
        #[test]
        fn what_is_plain_is_never_suspected(
            parts in proptest::collection::vec((snippet(), 1..5_usize, 0..3_u8), 0..40), many in 1..4_usize,
        ) {
            let repeated = |(part, times, scale): &(Vec<u8>, usize, u8)| part.repeat(if *scale == 0 { times * 25 } else { *times });
            let bytes = parts.iter().flat_map(repeated).collect::<Vec<_>>().repeat(many);
            if is_plain(&bytes) {
                prop_assert_eq!(examine(&bytes), None);
            }
        }
    }

    #[test]
    fn the_kind_that_plays_longest_counts() {
        let bytes = [ac3().repeat(50), [0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7].repeat(10)].concat();
        assert_eq!(super::super::play(&mut Disguised::default(), [&bytes[..]]), 1_600);
    }
}
