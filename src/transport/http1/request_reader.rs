//! The reader of a client's requests: passes them to actix one at a time, each with a time limit for every step.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::chunk_frames::Progress;
use super::connection::Http1Connection;
use super::head::{self, BodyLength, HeadFault};
use super::read_ahead::ReadAhead;
use super::refusal::Refusal;
use super::stage::Stage;
use crate::domain::Scheme;
use crate::transport::limits::{LINGERING_CLOSE, TimeLimits};

/// The bytes that actix gets before it must process them. Otherwise it would buffer up to 128 KiB, and keep that buffer
/// for as long as the connection is open.
const BURST_BYTES: usize = 32 * 1024;

/// The room below which actix enlarges its buffer, which it then keeps for as long as the connection is open. Once it has
/// processed a head, it takes a new buffer instead, and frees the old one after the request.
const ACTIX_MIN_ROOM: usize = 1024;

/// The bytes that a client may send ahead of the answer to its request.
const MAX_AHEAD_BYTES: usize = 64 * 1024;

/// A function that builds the answer to an invalid request, after which the connection ends.
pub(in crate::transport) type Refuse = Arc<dyn Fn(HeadFault, Scheme) -> Vec<u8> + Send + Sync>;

/// The requests of one client.
pub(super) struct RequestReader<S> {
    input: ReadAhead<S>,
    pub(super) scheme: Scheme,
    pub(super) connection: Rc<Http1Connection>,
    limits: TimeLimits,
    refuse: Refuse,
    stage: Stage,
    /// The time limit for the client's next action.
    timer: Pin<Box<Sleep>>,
    /// True if a handler was waiting for the body when the body last stalled.
    is_body_awaited: bool,
    /// The bytes passed on since actix last had to process them.
    burst: usize,
    /// True if bytes of an answer may still be unflushed.
    is_unflushed: bool,
}

impl<S> RequestReader<S> {
    pub(super) fn new(
        stream: S,
        scheme: Scheme,
        connection: Rc<Http1Connection>,
        limits: TimeLimits,
        refuse: Refuse,
    ) -> Self {
        let (input, timer) = (ReadAhead::new(stream), Box::pin(sleep(limits.head)));
        let (stage, is_body_awaited, burst) = (Stage::Head(0), true, 0);
        Self { input, scheme, connection, limits, refuse, stage, timer, is_body_awaited, burst, is_unflushed: false }
    }

    fn restart_timer(&mut self, limit: Duration) {
        self.timer.as_mut().reset(Instant::now() + limit);
    }

    /// Begins the request whose head is complete: its body comes next.
    fn begin_request(&mut self, stage: Stage) {
        self.stage = if self.connection.request_begins() { stage } else { Stage::End };
    }

    /// Takes a head, and the part of its body that came with it, out of the first bytes of a request, without a copy.
    /// Returns the number of bytes for actix, which gets no part of a body beyond `max` bytes; `None` if the head is
    /// incomplete, invalid or to be rewritten.
    fn take_head_in_place(&mut self, read: &[u8], max: usize) -> Option<usize> {
        let length = head::find_end(read, &mut 0).ok()??;
        let (whole, rest) = read.split_at_checked(length)?;
        let head = head::parse(whole).ok().filter(|head| head.rewritten.is_none())?;
        let (body, next) = match head.body {
            BodyLength::Chunked => (0, Stage::after_head(head.body)),
            BodyLength::Known(whole) => {
                let available = rest.len().min(max.saturating_sub(length));
                let body = usize::try_from(whole).map_or(available, |whole| whole.min(available));
                (body, Stage::body(whole.saturating_sub(count(body))))
            }
        };
        self.begin_request(next);
        if matches!(self.stage, Stage::End) {
            return Some(0);
        }
        self.input.keep(rest.get(body..).unwrap_or_default());
        Some(length + body)
    }

    /// Lets actix process a head before the rest of its body follows.
    fn yield_after_head(&mut self) {
        if matches!(self.stage, Stage::Body(_) | Stage::Chunks(_)) {
            self.burst = BURST_BYTES;
        }
    }

    fn begin_refusal(&mut self, fault: HeadFault) {
        self.input.discard();
        self.input.free();
        let answer = (self.refuse)(fault, self.scheme);
        self.restart_timer(LINGERING_CLOSE);
        self.stage = Stage::Refusal(Refusal::new(answer));
    }

    /// Waits for the rest of a body. While a handler runs, its own timeouts apply; after its answer,
    /// [`LINGERING_CLOSE`] does.
    fn poll_slow_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.is_busy() {
            self.is_body_awaited = true;
            return Poll::Pending;
        }
        if std::mem::take(&mut self.is_body_awaited) {
            self.restart_timer(LINGERING_CLOSE);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ends the exchange after its answer.
    fn finish_exchange(&mut self) {
        if self.connection.is_last() {
            self.stage = Stage::End;
            return;
        }
        let has_begun = self.input.kept() > 0;
        self.restart_timer(if has_begun { self.limits.head } else { self.limits.keep_alive });
        self.stage = Stage::Head(0);
    }

    /// Returns the client's stream.
    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.input.stream
    }

    /// Returns the stream for a part of an answer, which [`answer_flushed`](Self::answer_flushed) follows.
    pub(super) fn answer_stream(&mut self) -> &mut S {
        self.is_unflushed = true;
        &mut self.input.stream
    }

    /// Starts the time limit of the client's next action, if the flushed answer ends its request. actix flushes every
    /// answer, but does not read after it unless the task is woken.
    pub(super) fn answer_flushed(&mut self, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.is_unflushed) && matches!(self.stage, Stage::Refusal(_)) {
            // The refusal waits for this flush.
            cx.waker().wake_by_ref();
        }
        if self.connection.is_busy() {
            return;
        }
        let is_due = match &self.stage {
            Stage::Answer => {
                self.finish_exchange();
                let waits = matches!(self.stage, Stage::Head(_)) && self.input.kept() == 0;
                !waits || self.timer.as_mut().poll(cx).is_ready()
            }
            Stage::Body(_) | Stage::Chunks(_) => self.poll_slow_body(cx).is_ready(),
            _ => false,
        };
        if is_due {
            cx.waker().wake_by_ref();
        }
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl<S: AsyncRead + AsyncWrite + Unpin> RequestReader<S> {
    /// Returns true if the stream writes several slices at once.
    pub(super) fn is_write_vectored(&self) -> bool {
        self.input.stream.is_write_vectored()
    }

    /// Passes on what the client sends next, and lets actix process it now and then.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.burst >= BURST_BYTES {
            self.burst = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let begin = buffer.filled().len();
        let read = self.poll_stage(cx, buffer);
        self.burst = match &read {
            Poll::Pending => 0,
            Poll::Ready(_) => self.burst.saturating_add(buffer.filled().len().saturating_sub(begin)),
        };
        read
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (begin, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        while has_room && buffer.filled().len() == begin {
            match &mut self.stage {
                Stage::Head(_) if self.input.kept() == 0 => ready!(self.poll_first_read(cx, buffer))?,
                Stage::Head(_) => ready!(self.poll_head(cx, buffer))?,
                Stage::Deliver(head, body) => {
                    deliver(head, buffer);
                    if head.is_empty() {
                        self.stage = Stage::after_head(*body);
                        self.yield_after_head();
                    }
                }
                Stage::Body(_) => ready!(self.poll_body(cx, buffer))?,
                Stage::Chunks(_) => ready!(self.poll_chunks(cx, buffer))?,
                Stage::LastChunk(bytes) => {
                    deliver(bytes, buffer);
                    if bytes.is_empty() {
                        self.stage = Stage::Answer;
                    }
                }
                Stage::Answer if self.connection.is_busy() => ready!(self.poll_ahead(cx, buffer))?,
                Stage::Answer => self.finish_exchange(),
                // The earlier answers are sent first.
                Stage::Refusal(_) if self.is_unflushed => return Poll::Pending,
                Stage::Refusal(refusal) => {
                    ready!(refusal.poll_send(cx, &mut self.input.stream))?;
                    self.stage = Stage::Linger;
                }
                Stage::Linger => ready!(self.poll_linger(cx, buffer)),
                Stage::End => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the first bytes of a request.
    fn poll_first_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let begin = buffer.filled().len();
        let Poll::Ready(read) = self.input.poll_pass(cx, usize::MAX, buffer)? else {
            ready!(self.timer.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        let bytes = buffer.filled().get(begin..).unwrap_or_default();
        let max = read.saturating_sub(ACTIX_MIN_ROOM.saturating_sub(buffer.remaining()));
        if read == 0 {
            self.stage = Stage::End;
        } else if let Some(passed) = self.take_head_in_place(bytes, max) {
            buffer.set_filled(begin + passed);
            self.yield_after_head();
        } else {
            self.input.keep(bytes);
            buffer.set_filled(begin);
            self.restart_timer(self.limits.head);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the rest of a head that did not come whole.
    fn poll_head(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Stage::Head(scanned) = &mut self.stage else { return Poll::Ready(Ok(())) };
        match self.input.take_head(scanned) {
            Err(fault) => self.begin_refusal(fault),
            Ok(Some(head)) => self.begin_request(Stage::Deliver(head.bytes, head.body)),
            Ok(None) => match self.input.poll_keep(cx, buffer)? {
                Poll::Ready(0) => self.stage = Stage::End,
                Poll::Ready(_) => {}
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    self.begin_refusal(HeadFault::Slow);
                }
            },
        }
        Poll::Ready(Ok(()))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Stage::Body(left) = self.stage else { return Poll::Ready(Ok(())) };
        let max = usize::try_from(left).unwrap_or(usize::MAX);
        let Poll::Ready(passed) = self.input.poll_pass(cx, max, buffer)? else { return self.poll_slow_body(cx) };
        self.stage = if passed == 0 { Stage::End } else { Stage::body(left.saturating_sub(count(passed))) };
        Poll::Ready(Ok(()))
    }

    fn poll_chunks(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Stage::Chunks(frames) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let Poll::Ready(progress) = frames.poll_pass(cx, &mut self.input, buffer)? else {
            return self.poll_slow_body(cx);
        };
        match progress {
            Progress::Going => {}
            Progress::Cut => self.stage = Stage::End,
            Progress::Ends(end) => self.stage = Stage::LastChunk(end),
            Progress::Broken(end) => {
                self.connection.break_body();
                self.stage = Stage::LastChunk(end);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Checks that the client is still connected, and keeps the bytes that it sends ahead.
    fn poll_ahead(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.input.poll_keep(cx, buffer))?;
        if read == 0 {
            self.stage = Stage::End;
        } else if self.connection.is_last() {
            self.input.discard();
        } else if self.input.kept() > MAX_AHEAD_BYTES {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Discards further input: closing a socket with unread bytes resets the connection, and the client loses the
    /// answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<()> {
        match self.input.poll_keep(cx, buffer) {
            Poll::Ready(Ok(1..)) if self.timer.as_ref().deadline() > Instant::now() => {
                self.burst = self.burst.saturating_add(self.input.kept());
                self.input.discard();
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

/// Passes on as many of `bytes` as `buffer` takes.
fn deliver(bytes: &mut Bytes, buffer: &mut ReadBuf<'_>) {
    let count = bytes.len().min(buffer.remaining());
    buffer.put_slice(&bytes.split_to(count));
}
