//! An HTTP/1 connection of one client, between the socket and actix.
//!
//! actix reads heads leniently and refuses with empty answers, handles each chunk of a body separately, limits the time
//! of the first head only, and stops reading from a client that sends much ahead of its answer, so that it would not
//! notice when the client leaves. [`Line`] gives it complete heads that [`judge`](super::head::judge) has accepted, one
//! request at a time, and bodies in large pieces; it answers invalid requests and closes stalled connections. actix
//! then drops the answer, and with it the provider's request.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::chunks::ChunkReader;
use super::head::{self, BodyLength, Fault};
use super::{Connection, LINGERING_CLOSE, Limits, MaybeTls};

/// The bytes that actix gets before it must process them. Otherwise it would buffer up to 128 KiB, and keep that buffer
/// for as long as the connection is open.
const BURST_BYTES: usize = 32 * 1024;

/// The bytes of one read from the socket.
const READ_BYTES: usize = 8 * 1024;

/// The bytes that a client may send ahead of the answer to its request.
const MAX_AHEAD_BYTES: usize = 64 * 1024;

/// The bytes around a chunk for actix: eight digits and CRLF before it; CRLF and the last chunk after it.
const CHUNK_FRAME_BYTES: usize = 8 + 2 + 2 + 5;

/// A function that builds the answer to an invalid request, after which the connection ends. The flag is true over TLS.
pub(super) type Refuse = Rc<dyn Fn(Fault, bool) -> Vec<u8>>;

/// The connection, as actix sees it.
pub(super) struct Line {
    pipe: MaybeTls,
    connection: Rc<Connection>,
    limits: Limits,
    refuse: Refuse,
    stage: Stage,
    /// The bytes that were read but not passed on.
    ahead: BytesMut,
    /// The time limit for the client's next action.
    timer: Pin<Box<Sleep>>,
    /// True if a handler was waiting for the body when the body last stalled.
    is_body_awaited: bool,
    /// The bytes passed on since actix last had to process them.
    burst: usize,
    /// True if bytes of an answer may still be unflushed.
    is_unflushed: bool,
}

/// The next data expected from the client.
enum Stage {
    /// A head, with the number of its bytes already scanned.
    Head(usize),
    /// A complete head, to pass to actix.
    Deliver(Bytes, BodyLength),
    /// The number of body bytes still to come.
    Body(u64),
    /// Chunks of a body.
    Chunks(ChunkReader),
    /// Nothing new until the request is answered.
    Answer,
    /// The rest of the answer to an invalid request; after it, input is discarded.
    Refusal(Bytes),
    Linger,
    /// The end of the input.
    End,
}

impl Line {
    /// Creates the line of a new connection. `refuse` answers invalid requests.
    pub(super) fn new(pipe: MaybeTls, connection: Rc<Connection>, limits: Limits, refuse: Refuse) -> Self {
        let timer = Box::pin(sleep(limits.head));
        let (stage, ahead) = (Stage::Head(0), BytesMut::new());
        let (is_body_awaited, burst, is_unflushed) = (true, 0, false);
        Self { pipe, connection, limits, refuse, stage, ahead, timer, is_body_awaited, burst, is_unflushed }
    }

    /// Returns the state of the exchange.
    pub(super) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.stage {
                Stage::Head(_) => ready!(self.poll_head(cx, buffer))?,
                Stage::Deliver(head, body) => {
                    let count = head.len().min(buffer.remaining());
                    buffer.put_slice(&head.split_to(count));
                    if head.is_empty() {
                        self.stage = match *body {
                            BodyLength::Known(0) => Stage::Answer,
                            BodyLength::Known(length) => Stage::Body(length),
                            BodyLength::Chunked => Stage::Chunks(ChunkReader::default()),
                        };
                        // Let actix process the head before more bytes follow.
                        self.burst = BURST_BYTES;
                    }
                    return Poll::Ready(Ok(()));
                }
                Stage::Body(_) => return self.poll_body(cx, buffer),
                Stage::Chunks(_) => {
                    if ready!(self.poll_chunks(cx, buffer))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stage::Answer if self.connection.is_busy() => ready!(self.poll_ahead(cx, buffer))?,
                Stage::Answer if self.connection.is_last() => self.stage = Stage::End,
                Stage::Answer => self.next_request(),
                Stage::Refusal(_) => ready!(self.poll_refusal(cx))?,
                Stage::Linger => ready!(self.poll_linger(cx, buffer)),
                Stage::End => return Poll::Ready(Ok(())),
            }
        }
    }

    fn next_request(&mut self) {
        let begun = !self.ahead.is_empty();
        self.restart(if begun { self.limits.head } else { self.limits.keep_alive });
        self.stage = Stage::Head(0);
    }

    fn restart(&mut self, span: std::time::Duration) {
        self.timer.as_mut().reset(Instant::now() + span);
    }

    /// Reads from the client into `ahead`; `None` if the client has closed its side.
    fn poll_more(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Option<usize>>> {
        // A pending read leaves the buffer untouched, so an idle connection commits none of its memory.
        let mut read = buffer.take(READ_BYTES);
        ready!(Pin::new(&mut self.pipe).poll_read(cx, &mut read))?;
        self.ahead.extend_from_slice(read.filled());
        Poll::Ready(Ok(Some(read.filled().len()).filter(|count| *count > 0)))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.look_for_head() {
            Err(fault) => self.begin_refusal(fault),
            Ok(true) => {}
            Ok(false) => match self.poll_more(cx, buffer) {
                Poll::Ready(Ok(Some(count))) if count == self.ahead.len() => self.restart(self.limits.head),
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(Ok(None)) => self.stage = Stage::End,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    if self.ahead.is_empty() {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    self.begin_refusal(Fault::Slow);
                }
            },
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a head out of `ahead` if it is complete.
    fn look_for_head(&mut self) -> Result<bool, Fault> {
        let Stage::Head(scanned) = &mut self.stage else { return Ok(false) };
        if *scanned == 0 {
            let blank = head::blank_lines(&self.ahead)?;
            if matches!(self.ahead.get(blank..), None | Some([] | b"\r")) {
                return Ok(false);
            }
            self.ahead.advance(blank);
        }
        let Some(length) = head::find_end(&self.ahead, scanned)? else { return Ok(false) };
        let whole = self.ahead.get(..length).unwrap_or_default();
        let head = head::judge(whole)?;
        let bytes = head.rewritten.map_or_else(|| Bytes::copy_from_slice(whole), Bytes::from);
        self.ahead.advance(length);
        self.give_back();
        self.stage = if self.connection.request_begins() { Stage::Deliver(bytes, head.body) } else { Stage::End };
        Ok(true)
    }

    /// Frees the empty `ahead` buffer, so an idle connection holds no memory for it.
    fn give_back(&mut self) {
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Stage::Body(left) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let room = usize::try_from(*left).map_or(buffer.remaining(), |left| left.min(buffer.remaining()));
        let count = if self.ahead.is_empty() {
            let begin = buffer.filled().len();
            if Pin::new(&mut self.pipe).poll_read(cx, buffer)?.is_pending() {
                return self.poll_slow_body(cx);
            }
            // Bytes after the body belong to the next request.
            let count = room.min(buffer.filled().len() - begin);
            self.ahead.extend_from_slice(buffer.filled().get(begin + count..).unwrap_or_default());
            buffer.set_filled(begin + count);
            count
        } else {
            let piece = self.ahead.split_to(room.min(self.ahead.len()));
            buffer.put_slice(&piece);
            piece.len()
        };
        *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if count == 0 {
            self.stage = Stage::End;
        } else if *left == 0 {
            self.stage = Stage::Answer;
            self.give_back();
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for the rest of a body. While a handler runs, its own timeouts apply; after its answer,
    /// [`LINGERING_CLOSE`] does.
    fn poll_slow_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.is_busy() {
            self.is_body_awaited = true;
            self.connection.wait(cx.waker());
            return Poll::Pending;
        }
        if std::mem::take(&mut self.is_body_awaited) {
            self.restart(LINGERING_CLOSE);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Passes on the data of the chunks as one chunk. `false` if there is none yet.
    fn poll_chunks(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let room = buffer.remaining().saturating_sub(CHUNK_FRAME_BYTES).min(READ_BYTES);
        if self.ahead.is_empty() {
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
            if Pin::new(&mut self.pipe).poll_read(cx, &mut read)?.is_pending() {
                return self.poll_slow_body(cx).map_ok(|()| false);
            }
            if read.filled().is_empty() {
                self.stage = Stage::End;
                return Poll::Ready(Ok(false));
            }
            self.ahead.extend_from_slice(read.filled());
        }
        let Stage::Chunks(reader) = &mut self.stage else { return Poll::Ready(Ok(false)) };
        let frame = buffer.filled().len();
        buffer.put_slice(b"00000000\r\n");
        let begun = buffer.filled().len();
        let input = self.ahead.get(..room.min(self.ahead.len())).unwrap_or_default();
        let used = reader.read(input, |data| buffer.put_slice(data));
        let is_at_end = reader.is_at_end();
        let count = buffer.filled().len() - begun;
        if count == 0 {
            buffer.set_filled(frame);
        } else {
            let size = format!("{count:08x}");
            if let Some(digits) = buffer.filled_mut().get_mut(frame..frame + size.len()) {
                digits.copy_from_slice(size.as_bytes());
            }
            buffer.put_slice(b"\r\n");
        }
        if let Ok(used) = used {
            self.ahead.advance(used);
        } else {
            self.ahead.clear();
            self.connection.break_body();
        }
        if is_at_end || used.is_err() {
            buffer.put_slice(b"0\r\n\r\n");
            self.stage = Stage::Answer;
        }
        self.give_back();
        Poll::Ready(Ok(buffer.filled().len() > frame))
    }

    /// Checks that the client is still connected, and buffers the bytes that it sends ahead.
    fn poll_ahead(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.connection.wait(cx.waker());
        match ready!(self.poll_more(cx, buffer))? {
            None => self.stage = Stage::End,
            Some(_) if self.connection.is_last() => self.ahead.clear(),
            Some(_) if self.ahead.len() > MAX_AHEAD_BYTES => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            Some(_) => {}
        }
        Poll::Ready(Ok(()))
    }

    fn begin_refusal(&mut self, fault: Fault) {
        self.ahead = BytesMut::new();
        let answer = (self.refuse)(fault, self.connection.is_secure());
        self.restart(LINGERING_CLOSE);
        self.stage = Stage::Refusal(answer.into());
    }

    /// Writes the answer to an invalid request, after the earlier answers are sent.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stage::Refusal(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        if self.is_unflushed {
            return Poll::Pending;
        }
        while !answer.is_empty() {
            let count = ready!(Pin::new(&mut self.pipe).poll_write(cx, answer))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            answer.advance(count);
        }
        ready!(Pin::new(&mut self.pipe).poll_shutdown(cx))?;
        self.stage = Stage::Linger;
        Poll::Ready(Ok(()))
    }

    /// Discards further input: closing a socket with unread bytes resets the connection, and the client loses the
    /// answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<()> {
        match self.poll_more(cx, buffer) {
            Poll::Ready(Ok(Some(count))) if self.timer.as_ref().deadline() > Instant::now() => {
                self.ahead.clear();
                self.burst = self.burst.saturating_add(count);
                if self.burst >= BURST_BYTES {
                    // Yield to other tasks.
                    self.burst = 0;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            Poll::Ready(_) => self.stage = Stage::End,
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(cx));
                self.stage = Stage::End;
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.burst >= BURST_BYTES {
            line.burst = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = line.poll_stage(cx, buffer);
        line.burst = match &read {
            Poll::Pending => 0,
            Poll::Ready(_) => line.burst.saturating_add(buffer.filled().len().saturating_sub(before)),
        };
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_unflushed = true;
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_unflushed = true;
        Pin::new(&mut self.pipe).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.pipe).poll_flush(cx))?;
        if std::mem::take(&mut self.is_unflushed) && matches!(self.stage, Stage::Refusal(_)) {
            // The refusal waits for this flush.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
