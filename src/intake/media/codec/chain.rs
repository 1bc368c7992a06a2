//! Consecutive frames whose heads state their sizes.

use super::played::Played;

/// The properties of a frame, from its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct FrameHead {
    /// The size in bytes of the whole frame; the chain skips at least one byte.
    pub(in super::super) bytes: u64,
    /// The number of samples of each channel; 0 if the frame plays together with the previous frame.
    pub(in super::super) samples: u32,
    /// The number of samples a second.
    pub(in super::super) rate: u32,
}

/// A kind of frames.
pub(in super::super) trait Frames {
    /// The number of bytes in a head.
    const HEAD: usize;

    /// Returns the first position in `bytes` at which a head could begin.
    fn find(bytes: &[u8]) -> Option<usize>;

    /// Reads a head of [`Self::HEAD`] bytes. `next`: the head begins where the previous frame ended.
    fn read(&mut self, head: &[u8], next: bool) -> Option<FrameHead>;
}

/// Returns the first of the positions from `firsts`, in order, at which a head can begin: `pair` accepts its byte and
/// the following byte. A last byte, which no byte follows, is accepted. Almost no position in other bytes passes, so
/// only real heads cost more than the search for a byte.
pub(super) fn find_pair(
    bytes: &[u8],
    mut firsts: impl Iterator<Item = usize>,
    pair: impl Fn(u8, u8) -> bool,
) -> Option<usize> {
    firsts.find(|&at| match bytes.get(at..) {
        Some([first, second, ..]) => pair(*first, *second),
        _ => true,
    })
}

/// The duration of a stream of such frames, fed in pieces of any size. Bytes outside frames are skipped.
#[derive(Debug, Default)]
pub(in super::super) struct Chain<F> {
    frames: F,
    /// The bytes that may be a head.
    held: Vec<u8>,
    /// The number of bytes of the current frame that are still to come.
    left: u64,
    /// True if a frame ended where the held bytes begin.
    next: bool,
    played: Played,
    count: u64,
    in_frames: u64,
    /// The number of frames before the first bytes outside a frame.
    first: Option<u64>,
}

impl<F: Frames> Chain<F> {
    pub(in super::super) fn new(frames: F) -> Self {
        let (held, played) = (Vec::with_capacity(F::HEAD), Played::default());
        Self { frames, held, left: 0, next: true, played, count: 0, in_frames: 0, first: None }
    }

    /// Counts the next bytes.
    pub(in super::super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= u64::try_from(count).unwrap_or(u64::MAX);
                bytes = bytes.get(count..).unwrap_or_default();
                continue;
            }
            if self.held.is_empty() {
                let start = F::find(bytes).unwrap_or(bytes.len());
                self.next &= start == 0;
                bytes = bytes.get(start..).unwrap_or_default();
                if let Some(head) = bytes.get(..F::HEAD) {
                    let used = self.head(head);
                    bytes = bytes.get(used..).unwrap_or_default();
                    continue;
                }
            }
            let count = bytes.len().min(F::HEAD.saturating_sub(self.held.len()));
            let (now, later) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() >= F::HEAD {
                self.held_head();
            }
        }
    }

    /// Reads the held bytes as a head, or drops the first byte and the following bytes that begin no head.
    fn held_head(&mut self) {
        let held = std::mem::take(&mut self.held);
        let used = self.head(&held);
        let rest = held.get(used..).unwrap_or_default();
        let start = if self.next { 0 } else { F::find(rest).unwrap_or(rest.len()) };
        self.held = held;
        self.held.drain(..used + start);
    }

    /// Reads `head` as a head, if it is one. Returns the number of bytes consumed.
    fn head(&mut self, head: &[u8]) -> usize {
        let found = self.frames.read(head, self.next);
        if !self.next || found.is_none() {
            self.first.get_or_insert(self.count);
        }
        self.next = found.is_some();
        let Some(frame) = found else { return 1 };
        self.played.add(frame.samples.into(), frame.rate);
        self.count += u64::from(frame.samples > 0);
        self.in_frames = self.in_frames.saturating_add(frame.bytes);
        let bytes = frame.bytes.max(1);
        self.left = bytes.saturating_sub(u64::try_from(head.len()).unwrap_or(u64::MAX));
        usize::try_from(bytes).unwrap_or(usize::MAX).min(head.len())
    }

    /// Ends the stream or the packet. Bytes fed later play after it.
    pub(in super::super) fn finish(&mut self) {
        // A decoder reads zeros if a head is cut off.
        while !self.held.is_empty() {
            let given = self.held.len();
            self.held.resize(F::HEAD, 0);
            self.held_head();
            let used = F::HEAD.saturating_sub(self.held.len());
            self.held.truncate(given.saturating_sub(used));
        }
        (self.left, self.next) = (0, true);
    }

    /// Returns the duration of the frames so far, in nanoseconds.
    pub(in super::super) fn played_nanos(&self) -> u64 {
        self.played.nanos()
    }

    /// Returns the number of frames counted.
    pub(in super::super) fn frames(&self) -> u64 {
        self.count
    }

    /// Returns the number of frames before the first bytes outside a frame.
    pub(in super::super) fn first_frames(&self) -> u64 {
        self.first.unwrap_or(self.count)
    }

    /// Returns the total size in bytes of the frames so far, as their heads state it.
    pub(in super::super) fn frame_bytes(&self) -> u64 {
        self.in_frames
    }
}
