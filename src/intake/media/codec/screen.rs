//! A fast screen in front of [`suspicion`](super::suspicion): one pass that recognises plain PCM.
//!
//! Almost every WAV file is plain PCM. Following the chain of every kind of frames through it costs several times as much
//! as this pass, which looks only for what each kind needs before it can be suspected.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::aac::Adts;
use super::adts::{is_adts, loas_bytes};
use super::dts::EXTENSION;
use super::mpeg::Frame;
use crate::intake::media::players::IEC_61937;

/// The number of consecutive frames that is no coincidence.
pub(super) const FRAMES: u64 = 3;
/// The number of frame heads that is no coincidence at any positions, for kinds that chance produces every few
/// kilobytes.
pub(super) const SCATTERED: u64 = 80;
/// The sync word that some `TrueHD` units have after four bytes.
pub(super) const TRUEHD: &[u8] = &[0xf8, 0x72, 0x6f, 0xba];
/// The maximum number of zeros behind frames of MPEG that the screen passes over, together. Zeros between two frames are
/// no gap, however many there are.
const MAX_ZEROS: usize = 64 * 1024;

/// The kinds of marks.
const AC3: usize = 0;
const DTS: usize = 1;
const S_PDIF: usize = 2;
const TRUEHD_UNIT: usize = 3;
const DTS_EXTENSION: usize = 4;

/// Each mark with its kind. No two begin with the same byte.
const MARKS: [(&[u8], usize); 9] = [
    (&[0x0b, 0x77], AC3),
    (&[0x77, 0x0b], AC3),
    (&[0x7f, 0xfe, 0x80, 0x01], DTS),
    (&[0xfe, 0x7f, 0x01, 0x80], DTS),
    (&[0x1f, 0xff, 0xe8, 0x00], DTS),
    (&[0xff, 0x1f, 0x00, 0xe8], DTS),
    (IEC_61937, S_PDIF),
    (TRUEHD, TRUEHD_UNIT),
    (&EXTENSION, DTS_EXTENSION),
];
/// The number of marks of each kind with which sound is suspected.
const SUSPECTED: [u64; 5] = [SCATTERED, FRAMES, 2, 2, 3];

/// The search for all marks at once.
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let marks = MARKS.iter().map(|(mark, _)| mark);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(marks).ok()
});

/// Returns true if `bytes` are plain PCM: they certainly hold nothing for which they would be suspected. False if that needs
/// a closer look.
pub(in super::super) fn is_plain(bytes: &[u8]) -> bool {
    !has_marks(bytes) && !has_mpeg_or_adts(bytes) && !has_loas(bytes)
}

/// Returns true if there may be enough marks of any kind.
fn has_marks(bytes: &[u8]) -> bool {
    let Some(finder) = &*FINDER else { return true };
    let mut counts = [0; SUSPECTED.len()];
    let mut from = 0;
    while let Some(found) = finder.find(Input::new(bytes).range(from..)) {
        let kind = MARKS.get(found.pattern().as_usize()).map_or(AC3, |(_, kind)| *kind);
        // Frames of AC-3 and units of TrueHD need less where the sound begins with them.
        if (found.start() == 0 && kind == AC3) || (found.start() == 4 && kind == TRUEHD_UNIT) {
            return true;
        }
        let counted = counts.get_mut(kind).zip(SUSPECTED.get(kind));
        let is_suspected = counted.is_none_or(|(count, suspected)| {
            *count += 1;
            *count >= *suspected
        });
        if is_suspected {
            return true;
        }
        // Another mark may begin within this one.
        from = found.start() + 1;
    }
    false
}

/// Returns true if there may be consecutive frames of MPEG audio, or enough frames of ADTS. Both begin with a byte of ones.
fn has_mpeg_or_adts(bytes: &[u8]) -> bool {
    let mut adts = Heads::default();
    let mut zeros_left = MAX_ZEROS;
    for at in memchr::memchr_iter(0xff, bytes) {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(&head) = rest.first_chunk::<4>() else { return false };
        if let Some(frame) = Frame::parse(head) {
            let behind = usize::try_from(frame.bytes).ok().and_then(|size| rest.get(size..)).unwrap_or_default();
            if leads_to_mpeg(behind, &mut zeros_left) {
                return true;
            }
        }
        let [first, second, ..] = head;
        if is_adts(first, second) && adts.is_enough(at, || Adts::parse(rest)?.frame_bytes) {
            return true;
        }
    }
    false
}

/// Returns true if a frame of MPEG audio may follow here, directly or after zeros: only then does the frame before it count
/// among other bytes.
fn leads_to_mpeg(bytes: &[u8], zeros_left: &mut usize) -> bool {
    let zeros = bytes.iter().take(*zeros_left).take_while(|byte| **byte == 0).count();
    *zeros_left -= zeros;
    let head = bytes.get(zeros..).and_then(<[u8]>::first_chunk).copied();
    *zeros_left == 0 || head.and_then(Frame::parse).is_some()
}

/// Returns true if there may be enough frames of LOAS.
fn has_loas(bytes: &[u8]) -> bool {
    let mut loas = Heads::default();
    memchr::memchr_iter(0x56, bytes).any(|at| {
        let head = bytes.get(at..).and_then(<[u8]>::first_chunk);
        head.is_some_and(|&head| loas.is_enough(at, || loas_bytes(head)))
    })
}

/// The frames of one kind, each found behind the frame before it.
#[derive(Default)]
struct Heads {
    count: u64,
    /// The end of the last frame.
    end: usize,
}

impl Heads {
    /// Counts a frame at `at` if it has a size and is in no other frame. Returns true once there may be enough: several at any
    /// positions, or one at the beginning.
    fn is_enough(&mut self, at: usize, size: impl FnOnce() -> Option<u64>) -> bool {
        if at >= self.end
            && let Some(size) = size()
        {
            self.count += 1;
            self.end = at.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        }
        self.count > 0 && at == 0 || self.count >= SCATTERED
    }
}
