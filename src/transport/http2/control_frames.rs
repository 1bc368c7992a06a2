//! A bound on HTTP/2 frames that cost work and carry no data.
//!
//! PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`, `RST_STREAM`, empty DATA and similar frames are a few bytes each, and
//! some require an answer. `h2` bounds the memory for them, not their number. This module counts them below `h2`, by
//! the frame headers (RFC 9113 §4.1, §10.5).

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The number of frames without data that a client may send in one burst.
const MAX_FRAMES: u32 = 4000;

/// The number of frames that the budget regains each second. Clients measure their path with a few pings a second; 1000
/// frames cost about a millisecond of processor time.
const FRAMES_PER_SECOND: u32 = 1000;

/// The number of frames that a client may send for each DATA frame that it receives. Go updates the windows of the
/// stream and of the connection for each 4 KiB.
const FRAMES_PER_DATA_SENT: u32 = 8;

/// The number of frames that may accompany a request: its priority, a window for its answer, a priority update.
const FRAMES_PER_REQUEST: u32 = 4;

/// The cost of `RST_STREAM`: more than the request adds to the budget.
const RESET_FRAMES: u32 = FRAMES_PER_REQUEST + 1;

/// The size below which a DATA frame counts as a control frame, unless it ends the body.
const MIN_DATA_BYTES: usize = 32;

/// The maximum padding of a DATA frame, including its length byte (RFC 9113 §6.1).
const MAX_PADDING_BYTES: usize = 256;

/// The length of the client preface (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

/// The length of a frame header.
const HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;

/// The control frames that the client of one connection may still send.
pub(super) struct FrameBudget {
    left: Cell<u32>,
    since: Cell<Instant>,
    is_spent: Cell<bool>,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(MAX_FRAMES), since: Cell::new(Instant::now()), is_spent: Cell::new(false) }
    }

    /// Returns true if the client has sent more than it may.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent.get()
    }

    /// Records a DATA frame sent to the client, which updates its window after reading it.
    pub(super) fn frame_sent(&self) {
        self.add(FRAMES_PER_DATA_SENT);
    }

    fn add(&self, frames: u32) {
        self.left.set(self.left.get().saturating_add(frames).min(MAX_FRAMES));
    }

    fn spend(&self, frames: u32) {
        if self.left.get() < frames {
            let (now, per_second) = (Instant::now(), u128::from(FRAMES_PER_SECOND));
            let regained = now.saturating_duration_since(self.since.get()).as_micros() * per_second / 1_000_000;
            if regained > 0 {
                self.since.set(now);
                self.add(u32::try_from(regained).unwrap_or(u32::MAX));
            }
        }
        match self.left.get().checked_sub(frames) {
            Some(left) => self.left.set(left),
            None => self.is_spent.set(true),
        }
    }

    /// Charges the budget for a frame that begins.
    fn frame(&self, kind: u8, flags: u8, length: usize) {
        match kind {
            DATA if flags & END_STREAM != 0 => {}
            DATA if flags & PADDED == 0 && length >= MIN_DATA_BYTES => {}
            DATA if length >= MIN_DATA_BYTES + MAX_PADDING_BYTES => {}
            HEADERS => self.add(FRAMES_PER_REQUEST),
            RST_STREAM => self.spend(RESET_FRAMES),
            _ => self.spend(1),
        }
    }
}

/// A connection that counts the frames it reads, and stops reading when the budget is spent.
pub(super) struct CountedFrames<T> {
    inner: T,
    budget: Rc<FrameBudget>,
    /// The number of bytes before the next frame header.
    skip: usize,
    head: [u8; HEAD_BYTES],
    filled: usize,
}

impl<T> CountedFrames<T> {
    pub(super) fn new(inner: T, budget: Rc<FrameBudget>) -> Self {
        Self { inner, budget, skip: PREFACE_BYTES, head: [0; HEAD_BYTES], filled: 0 }
    }

    fn count(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            if let Some(place) = self.head.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled += 1;
            if self.filled == HEAD_BYTES {
                let [high, middle, low, kind, flags, ..] = self.head;
                let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.budget.frame(kind, flags, length);
                (self.filled, self.skip) = (0, length);
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CountedFrames<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.budget.is_spent() {
            // The caller checks the budget next.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        this.count(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for CountedFrames<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;
    use tokio::time::advance;

    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        [vec![high, middle, low, kind, flags, 0, 0, 0, 1], vec![0; length]].concat()
    }

    /// Returns the remaining budget after frames that arrive in pieces of the given size.
    async fn left(frames: &[u8], piece: usize) -> Option<u32> {
        let budget = Rc::new(FrameBudget::new());
        let bytes = [&[b'P'; PREFACE_BYTES], frames].concat();
        let mut counted = CountedFrames::new(bytes.as_slice(), Rc::clone(&budget));
        let mut read = vec![0; piece];
        while !budget.is_spent() && counted.read(&mut read).await.unwrap() > 0 {}
        (!budget.is_spent()).then(|| budget.left.get())
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_carry_nothing_are_counted_and_others_are_not() {
        for (kind, flags, length, counts) in [
            (DATA, 0, 0, 1),
            (DATA, 0, MIN_DATA_BYTES - 1, 1),
            (DATA, 0, MIN_DATA_BYTES, 0),
            (DATA, END_STREAM, 0, 0),
            (DATA, PADDED, 200, 1),
            (DATA, PADDED, 300, 0),
            (2, 0, 5, 1),
            (RST_STREAM, 0, 4, 5),
            (4, 0, 0, 1),
            (4, 1, 0, 1),
            (6, 0, 8, 1),
            (8, 0, 4, 1),
            (9, 4, 0, 1),
            (0x10, 0, 20, 1),
            (0xfa, 0, 0, 1),
        ] {
            assert_eq!(
                left(&frame(kind, flags, length).repeat(3), 4096).await,
                Some(MAX_FRAMES - 3 * counts),
                "{kind}"
            );
        }
        let reset = [frame(HEADERS, 4, 20), frame(RST_STREAM, 0, 4)].concat();
        assert_eq!(left(&reset.repeat(100), 4096).await, Some(MAX_FRAMES - 104));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_up_and_a_higher_one_is_not() {
        let budget = FrameBudget::new();
        for _ in 0..100 {
            advance(Duration::from_millis(100)).await;
            (0..100).for_each(|_| budget.frame(6, 0, 8));
        }
        assert!(!budget.is_spent());
        for _ in 0..100 {
            advance(Duration::from_millis(100)).await;
            (0..150).for_each(|_| budget.frame(6, 0, 8));
        }
        assert!(budget.is_spent());
    }

    #[tokio::test(start_paused = true)]
    async fn room_for_what_was_sent_may_be_made_at_any_rate() {
        let budget = FrameBudget::new();
        for _ in 0..100_000 {
            budget.frame_sent();
            (0..8).for_each(|_| budget.frame(8, 0, 4));
        }
        assert!(!budget.is_spent());
    }

    proptest! {
        #[test]
        fn frames_are_found_in_any_pieces(
            frames in prop::collection::vec((0..12_u8, any::<u8>(), 0..400_usize), 0..50),
            piece in 1..40_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
            prop_assert_eq!(runtime.block_on(left(&bytes, piece)), runtime.block_on(left(&bytes, 1 << 20)));
        }
    }
}
