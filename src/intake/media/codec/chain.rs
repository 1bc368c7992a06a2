//! Frames that say their size in a head of their own, one behind the other.

use super::played::Played;

/// What a head says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct FrameHead {
    /// The size of the whole frame; at least one byte is passed over.
    pub(in super::super) bytes: u64,
    /// Samples of each channel; 0 where it plays along with the frame before it.
    pub(in super::super) samples: u32,
    /// Samples a second.
    pub(in super::super) rate: u32,
}

/// A kind of frames.
pub(in super::super) trait Frames {
    /// How many bytes a head takes.
    const HEAD: usize;

    /// Where in `bytes` the first head could begin.
    fn find(bytes: &[u8]) -> Option<usize>;

    /// Reads a head of [`Self::HEAD`] bytes. `next`: it begins where the frame before ended.
    fn read(&mut self, head: &[u8], next: bool) -> Option<FrameHead>;
}

/// Where a head can begin: at the first of the places that `firsts` finds, in order, whose byte and the one behind it `pair`
/// takes. The last byte has none behind it, and is taken. Nearly no place among other bytes passes, so that none but heads
/// cost more than the search for a byte.
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

/// What a stream of such frames plays, fed in pieces of any size. What is no frame is passed over.
#[derive(Debug, Default)]
pub(in super::super) struct Chain<F> {
    frames: F,
    /// Bytes that may be a head.
    held: Vec<u8>,
    /// How many bytes of the current frame are still to come.
    left: u64,
    /// Whether a frame ended where the held bytes begin.
    next: bool,
    played: Played,
    count: u64,
    in_frames: u64,
    /// How many frames there were before anything else.
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

    /// Takes what is held for a head, or lets its first byte go, and those behind it that begin none.
    fn held_head(&mut self) {
        let held = std::mem::take(&mut self.held);
        let used = self.head(&held);
        let rest = held.get(used..).unwrap_or_default();
        let start = if self.next { 0 } else { F::find(rest).unwrap_or(rest.len()) };
        self.held = held;
        self.held.drain(..used + start);
    }

    /// Reads `head` as one, if it is; how many of its bytes are done with.
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

    /// The stream is over here, or the packet; what is fed next is played behind it.
    pub(in super::super) fn finish(&mut self) {
        // A decoder reads zeros where a head is cut off.
        while !self.held.is_empty() {
            let given = self.held.len();
            self.held.resize(F::HEAD, 0);
            self.held_head();
            let used = F::HEAD.saturating_sub(self.held.len());
            self.held.truncate(given.saturating_sub(used));
        }
        (self.left, self.next) = (0, true);
    }

    /// What the frames so far play, in nanoseconds.
    pub(in super::super) fn played_nanos(&self) -> u64 {
        self.played.nanos()
    }

    /// How many frames were counted.
    pub(in super::super) fn frames(&self) -> u64 {
        self.count
    }

    /// How many of them came before anything that is none.
    pub(in super::super) fn first_frames(&self) -> u64 {
        self.first.unwrap_or(self.count)
    }

    /// How many bytes the frames so far say that they take.
    pub(in super::super) fn frame_bytes(&self) -> u64 {
        self.in_frames
    }
}
