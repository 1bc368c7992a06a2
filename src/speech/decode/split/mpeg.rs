//! Frames of MPEG audio.
//!
//! A frame after other bytes counts only if another follows it directly, as in the measurement. The bytes between two frames
//! are damage, as long as the frames that they replace, unless they are a tag.

use std::ops::Range;

use super::buffer::{Unit, Waiting};
use crate::intake::media::MpegFrame;

/// The size of a frame's header.
const HEAD: usize = 4;
/// The marks with which tags begin.
const TAGS: [&[u8]; 5] = [b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"\0"];
/// The largest stretch of bytes that is damage; more are another file in the middle.
const MAX_DAMAGE: u64 = 1024 * 1024;

/// A splitter into such frames.
#[derive(Debug, Default)]
pub(in crate::speech::decode) struct Mpeg {
    waiting: Waiting,
    is_ended: bool,
    /// The last frame; the next one follows it directly if `skipped` is 0.
    last: Option<MpegFrame>,
    skipped: u64,
    is_tag: bool,
    /// A frame that was found after skipped bytes and is still to be handed out.
    found: Option<usize>,
}

impl Mpeg {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.push(bytes);
    }

    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.waiting.bytes(range)
    }

    pub(super) fn next(&mut self) -> Option<Unit> {
        if let Some(size) = self.found.take() {
            return Some(Unit::Frame(self.waiting.take(size)));
        }
        loop {
            let rest = self.waiting.rest();
            let head = *rest.first_chunk::<HEAD>()?;
            let Some((frame, size)) = parse(head) else {
                let skip = next_sync(rest);
                self.skip(skip);
                continue;
            };
            if rest.len() < size && !self.is_ended {
                return None;
            }
            let after = rest.get(size..).and_then(<[u8]>::first_chunk::<HEAD>).copied();
            if after.is_none() && !self.is_ended && self.is_doubted() {
                return None;
            }
            let is_confirmed = after.and_then(parse).is_some_and(|(next, _)| next.matches(frame));
            if self.is_doubted() && !is_confirmed {
                self.skip(1);
                continue;
            }
            if rest.len() < size {
                // The recording ends in the frame.
                self.waiting.take(rest.len());
                return None;
            }
            return Some(self.take(frame, size));
        }
    }

    /// Returns true if the frame at the front does not follow another directly.
    fn is_doubted(&self) -> bool {
        self.skipped > 0 || self.last.is_none()
    }

    fn take(&mut self, frame: MpegFrame, size: usize) -> Unit {
        let skipped = std::mem::take(&mut self.skipped);
        let is_tag = std::mem::take(&mut self.is_tag);
        let before = self.last.replace(frame);
        let damage = before.filter(|_| !is_tag && skipped <= MAX_DAMAGE);
        let frames = damage.map_or(0, |last| (skipped + last.bytes / 2) / last.bytes.max(1));
        if frames > 0 {
            self.found = Some(size);
            return Unit::Lost(frames.saturating_mul(frame.samples.into()));
        }
        Unit::Frame(self.waiting.take(size))
    }

    fn skip(&mut self, count: usize) {
        if self.skipped == 0 {
            self.is_tag = TAGS.iter().any(|tag| self.waiting.rest().starts_with(tag));
        }
        self.skipped = self.skipped.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.waiting.take(count);
    }
}

fn parse(head: [u8; HEAD]) -> Option<(MpegFrame, usize)> {
    let frame = MpegFrame::parse(head)?;
    let size = usize::try_from(frame.bytes).ok().filter(|size| *size > HEAD)?;
    Some((frame, size))
}

/// Returns the number of bytes up to the next that could begin a header.
fn next_sync(rest: &[u8]) -> usize {
    let behind = rest.get(1..).unwrap_or_default();
    1 + memchr::memchr(0xff, behind).unwrap_or(behind.len())
}
