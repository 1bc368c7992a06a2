//! Sound that a header calls 16-bit PCM, but that is compressed.
//!
//! Decoders know CDs' worth of files whose WAV header says PCM over frames of AC-3, DTS, MP3 or AAC, and play the
//! frames. If the first bytes look like that, the file is counted in each of these ways beside the stated one, and the
//! longest duration counts.

#[cfg(test)]
mod tests;

use super::ac3::{Ac3Chain, Ac3Frames};
use super::adts::{AdtsChain, AdtsFrames, LoasChain, LoasFrames};
use super::chain::Chain;
use super::dts::{DtsChain, DtsFrames, EXTENSION};
use super::mpeg::{Frame, MpegChain};
pub(in super::super) use super::screen::is_plain;
use super::screen::{FRAMES, SCATTERED, TRUEHD};
use super::table::{self, Codec};
use super::{Count, Wants};
use crate::intake::media::players::IEC_61937;

/// Returns the codec that the `beginning` of declared PCM looks like; `None` if it looks like PCM.
pub(in super::super) fn suspected_codec(beginning: &[u8]) -> Option<Codec> {
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
