//! The stream of a client, with the bytes that were read ahead of their use.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use super::head::{self, BodyLength, Fault};

/// The bytes of one read that nothing else bounds.
const READ_BYTES: usize = 8 * 1024;

/// A stream whose reader may keep bytes for later.
pub(super) struct ReadAhead<S> {
    pub(super) stream: S,
    kept: BytesMut,
}

/// A complete head that [`head::parse`] has accepted.
pub(super) struct CheckedHead {
    /// The bytes for actix.
    pub(super) bytes: Bytes,
    pub(super) body: BodyLength,
}

impl<S> ReadAhead<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, kept: BytesMut::new() }
    }

    /// Returns the number of bytes kept.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Keeps bytes for later.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Keeps bytes for later, before all others.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        let behind = std::mem::take(&mut self.kept);
        self.kept.extend_from_slice(bytes);
        self.kept.extend_from_slice(&behind);
    }

    /// Discards the bytes kept.
    pub(super) fn discard(&mut self) {
        self.kept.clear();
    }

    /// Frees the empty buffer, so an idle connection holds no memory for it.
    pub(super) fn free(&mut self) {
        if self.kept.is_empty() {
            self.kept = BytesMut::new();
        }
    }

    /// Takes a head out of the bytes kept; `None` until it is complete. `scanned` is the number of its bytes that
    /// earlier calls have checked.
    pub(super) fn take_head(&mut self, scanned: &mut usize) -> Result<Option<CheckedHead>, Fault> {
        if *scanned == 0 {
            let blank = head::blank_lines(&self.kept)?;
            if matches!(self.kept.get(blank..), None | Some([] | b"\r")) {
                return Ok(None);
            }
            self.kept.advance(blank);
        }
        let Some(length) = head::find_end(&self.kept, scanned)? else { return Ok(None) };
        let whole = self.kept.get(..length).unwrap_or_default();
        let head = head::parse(whole)?;
        let bytes = head.rewritten.map_or_else(|| Bytes::copy_from_slice(whole), Bytes::from);
        self.kept.advance(length);
        self.free();
        Ok(Some(CheckedHead { bytes, body: head.body }))
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    /// Passes up to `max` bytes to `buffer`: those kept, or else new ones, of which it keeps the rest. Returns their
    /// number, which is 0 at the end of the stream.
    pub(super) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.kept.is_empty() {
            let count = max.min(self.kept.len()).min(buffer.remaining());
            buffer.put_slice(self.kept.get(..count).unwrap_or_default());
            self.kept.advance(count);
            self.free();
            return Poll::Ready(Ok(count));
        }
        let begin = buffer.filled().len();
        // A pending read leaves the buffer untouched, so an idle connection commits none of its memory.
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let count = max.min(buffer.filled().len() - begin);
        self.kept.extend_from_slice(buffer.filled().get(begin + count..).unwrap_or_default());
        buffer.set_filled(begin + count);
        Poll::Ready(Ok(count))
    }

    /// Reads new bytes and keeps them. Returns their number, which is 0 at the end of the stream. `scratch` is left as
    /// it was.
    pub(super) fn poll_keep(&mut self, cx: &mut Context<'_>, scratch: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let mut read = scratch.take(READ_BYTES);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        self.kept.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }
}
