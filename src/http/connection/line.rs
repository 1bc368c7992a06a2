//! One client's connection that speaks HTTP/1, watched for what actix does not watch: a client that holds it without moving.
//!
//! actix gives the first head of a connection a time limit and the later ones none, and stops listening to a client that
//! sends much ahead of its answer, so that it would miss its going. [`Line`] stands between actix and the socket and ends
//! such a connection; dropping the answer, and with it the provider's request, is then actix's own doing.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::{Connection, Limits, Pipe};

/// What is read at once: actix would go on to 128 KiB, which it keeps for as long as the connection is open.
const BURST: usize = 32 * 1024;

/// What is read at once of a request that has yet to begin. It leaves the buffer that actix starts with as much room as it
/// wants to have left; with less it takes one twice as large.
const BEGINNING: usize = 7 * 1024;

/// What a client may send ahead while its audio is being worked on.
const MOST_AHEAD: usize = 64 * 1024;

/// The connection, as actix sees it.
pub(super) struct Line {
    pipe: Pipe,
    connection: Rc<Connection>,
    limits: Limits,
    /// The last request that was seen to begin.
    begun: u64,
    /// Whether a byte of the next head has come.
    in_head: bool,
    /// Runs between requests: until the next one shall begin.
    idle: Option<Pin<Box<Sleep>>>,
    /// What was read since actix had to look at it.
    burst: usize,
}

impl Line {
    /// Watches `pipe`.
    pub(super) fn new(pipe: Pipe, limits: Limits) -> Self {
        let connection = Rc::new(Connection::new(pipe.is_secure()));
        Self { pipe, connection, limits, begun: 0, in_head: false, idle: None, burst: 0 }
    }

    /// Where the exchange stands.
    pub(super) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }
}

fn is_over(timer: Option<&mut Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
    timer.is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.burst >= BURST {
            line.burst = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let begins = !line.connection.busy.get();
        let read =
            if begins { line.read_beginning(cx, buffer) } else { Pin::new(&mut line.pipe).poll_read(cx, buffer) };
        let count = buffer.filled().len().saturating_sub(before);
        line.burst = match read {
            Poll::Pending => 0,
            Poll::Ready(_) if begins => BURST,
            Poll::Ready(_) => line.burst.saturating_add(count),
        };
        let connection = &line.connection;
        let begun = connection.begun.get();
        if connection.busy.get() || begun != line.begun {
            line.begun = begun;
            line.in_head = false;
            line.idle = None;
        }
        if connection.busy.get() {
            if connection.waits_for_answer.get() {
                connection.ahead.set(connection.ahead.get().saturating_add(count));
                if connection.ahead.get() > MOST_AHEAD {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
            }
        } else if !line.in_head && (count > 0 || connection.ahead.take() > 0) {
            line.in_head = true;
            line.idle = Some(Box::pin(sleep(line.limits.head)));
        } else if line.idle.is_none() {
            // actix has a timer for this too, but takes the beginning of a head for a request.
            line.idle = Some(Box::pin(sleep(line.limits.keep_alive)));
        }
        if is_over(line.idle.as_mut(), cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl Line {
    fn read_beginning(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(BEGINNING);
        let mut beginning = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.pipe).poll_read(cx, &mut beginning))?;
        let count = beginning.filled().len();
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
