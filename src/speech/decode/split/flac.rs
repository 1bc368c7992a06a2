//! Frames of FLAC.
//!
//! A frame does not state its size. It ends before the next header if the checksum over all of it is right there (RFC 9639
//! §9.3). Frames state their position, so what is missing between two of them is known.

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::buffer::{Unit, Waiting};
use crate::intake::media::FlacFrame;

/// The largest header, and the number of bytes that show if there is one.
const MAX_HEADER: usize = 16;
/// The largest frame: 65535 samples of eight channels and 32 bits, and a little for the heads.
const MAX_FRAME: usize = 65_535 * 8 * 4 + 4096;
/// The number of bytes that one search goes over, and the number of places at which it looks for a head.
const MAX_SEARCHED: usize = 64 * 1024;
const MAX_PLACES: u32 = 1024;
/// The number of damaged frames up to which the next one is looked for. Each search may go over [`MAX_FRAME`] bytes, and the
/// bytes of a file can be nothing but heads.
const MAX_DAMAGED: u32 = 512;
/// The mark at the beginning of another file.
const MARK: &[u8] = b"fLaC";
/// The number of places of each mark at which a tag may begin.
const MAX_TAGS: usize = 256;
/// The marks of tags, which follow the last frame of a file.
const TAGS: [&[u8]; 4] = [b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3"];

/// A splitter into such frames.
#[derive(Debug, Default)]
pub(in crate::speech::decode) struct Flac {
    waiting: Waiting,
    is_ended: bool,
    /// The frame at the front, once its header is found.
    current: Option<Current>,
    /// The position at which the next frame should begin.
    expected: Option<u64>,
    /// The number of samples in the frames of a stream whose frames all have the same size.
    block: u32,
    is_joined: bool,
    /// The number of frames without an end.
    damaged: u32,
}

/// A frame whose end is sought.
#[derive(Debug)]
struct Current {
    frame: FlacFrame,
    /// The number of bytes among which no header follows.
    looked: usize,
    /// The number of bytes that were examined, and their checksum.
    examined: usize,
    sum: u16,
    is_announced: bool,
}

impl Flac {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.push(bytes);
    }

    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.waiting.bytes(range)
    }

    /// Returns the next unit. A call goes over [`MAX_SEARCHED`] bytes at most.
    pub(super) fn next(&mut self) -> Option<Unit> {
        if self.current.is_none() {
            match self.find() {
                Found::Head => {}
                Found::More => return None,
                Found::Searched => return Some(Unit::Searched),
            }
        }
        if std::mem::take(&mut self.is_joined) {
            // Another file begins, and counts from zero.
            self.expected = None;
        }
        let rest = self.waiting.rest();
        let current = self.current.as_mut()?;
        let block = if self.block == 0 { current.frame.samples } else { self.block };
        if !current.is_announced {
            current.is_announced = true;
            let position = current.frame.position(block);
            let missing = self.expected.and_then(|expected| position.checked_sub(expected));
            if let Some(missing @ 1..) = missing {
                return Some(Unit::Lost(missing));
            }
        }
        match current.end(rest, self.is_ended) {
            Sought::Here(size) => {
                let frame = current.frame;
                self.block = self.block.max(frame.samples);
                self.expected = Some(frame.position(block).saturating_add(frame.samples.into()));
                self.current = None;
                Some(Unit::Frame(self.waiting.take(size)))
            }
            Sought::Further => None,
            Sought::Later => Some(Unit::Searched),
            Sought::Nowhere => {
                // The frame is damaged. The next one shows how much is missing.
                let expected = current.frame.position(block);
                self.expected.get_or_insert(expected);
                self.current = None;
                self.damaged = self.damaged.saturating_add(1);
                // The search for each end may go far. What is not found is missing from the length.
                let count = if self.damaged > MAX_DAMAGED { self.waiting.rest().len() } else { 1 };
                self.waiting.take(count);
                Some(Unit::Searched)
            }
        }
    }

    /// Looks for the next header.
    fn find(&mut self) -> Found {
        for _ in 0..MAX_PLACES {
            let rest = self.waiting.rest();
            if rest.len() < MAX_HEADER && !self.is_ended || rest.is_empty() {
                return Found::More;
            }
            if rest.starts_with(MARK) {
                self.is_joined = true;
            }
            if let Some(frame) = FlacFrame::parse(rest) {
                self.current = Some(Current { frame, looked: 1, examined: 0, sum: 0, is_announced: false });
                return Found::Head;
            }
            let behind = rest.get(1..).unwrap_or_default();
            let next = memchr::memchr2(0xff, b'f', behind).unwrap_or(behind.len());
            self.waiting.take(1 + next);
        }
        Found::Searched
    }
}

/// The result of the search for a header.
enum Found {
    /// The header at the front.
    Head,
    /// Nothing: more bytes are needed.
    More,
    /// Nothing in the stretch that was searched.
    Searched,
}

/// The result of the search for the end of a frame.
enum Sought {
    /// The size of the frame.
    Here(usize),
    /// The end is not among the bytes so far.
    Further,
    /// The end is not in the stretch that was searched; the rest of the bytes is still to be searched.
    Later,
    /// There is no end: the frame is damaged.
    Nowhere,
}

impl Current {
    /// Looks for the end in the next stretch of `rest`.
    fn end(&mut self, rest: &[u8], is_ended: bool) -> Sought {
        let until = self.looked.saturating_add(MAX_SEARCHED).min(rest.len());
        // Every header and the mark of a file begin with one of these.
        for _ in 0..MAX_PLACES {
            let stretch = rest.get(self.looked..until).unwrap_or_default();
            let Some(at) = memchr::memchr2(0xff, b'f', stretch).map(|at| self.looked + at) else {
                self.looked = until;
                break;
            };
            let candidate = rest.get(at..).unwrap_or_default();
            self.looked = at;
            if at > MAX_FRAME {
                return Self::end_before_tag(rest);
            }
            if candidate.len() < MAX_HEADER && !is_ended {
                return Sought::Further;
            }
            self.looked = at + 1;
            self.examine(rest, at);
            let begins = candidate.starts_with(MARK) || FlacFrame::parse(candidate).is_some();
            if begins && self.sum == 0 && at > MAX_HEADER / 2 {
                return Sought::Here(at);
            }
        }
        self.examine(rest, self.looked);
        if self.looked > MAX_FRAME {
            Self::end_before_tag(rest)
        } else if self.looked < rest.len() {
            Sought::Later
        } else if !is_ended {
            Sought::Further
        } else if self.sum == 0 {
            Sought::Here(rest.len())
        } else {
            Self::end_before_tag(rest)
        }
    }

    /// Returns the end of a frame after which a tag follows: a place where one begins and the checksum is right.
    fn end_before_tag(rest: &[u8]) -> Sought {
        let mut places: Vec<usize> = Vec::new();
        for mark in TAGS {
            places.extend(memchr::memmem::find_iter(rest, mark).take(MAX_TAGS));
        }
        places.sort_unstable();
        let (mut from, mut sum) = (0, 0);
        for at in places.into_iter().filter(|at| *at > MAX_HEADER / 2) {
            sum = crc16(sum, rest.get(from..at).unwrap_or_default());
            from = at;
            if sum == 0 {
                return Sought::Here(at);
            }
        }
        Sought::Nowhere
    }

    /// Continues the checksum up to `until`.
    fn examine(&mut self, rest: &[u8], until: usize) {
        self.sum = crc16(self.sum, rest.get(self.examined..until).unwrap_or_default());
        self.examined = until;
    }
}

/// Returns the checksum of `bytes` after bytes with the checksum `sum`: x¹⁶ + x¹⁵ + x² + 1. Over a frame with its own checksum
/// it is zero.
fn crc16(sum: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(sum, |sum, byte| {
        let [high, low] = sum.to_be_bytes();
        let entry = TABLE.get(usize::from(high ^ byte)).copied().unwrap_or_default();
        u16::from_be_bytes([low, 0]) ^ entry
    })
}

/// The checksum of each byte.
static TABLE: [u16; 256] = table();

#[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    let mut byte = 0_u16;
    while index < 256 {
        let mut sum = byte << 8;
        let mut step = 0;
        while step < 8 {
            sum = if sum >> 15 == 1 { sum << 1 ^ 0x8005 } else { sum << 1 };
            step += 1;
        }
        table[index] = sum;
        index += 1;
        byte += 1;
    }
    table
}
