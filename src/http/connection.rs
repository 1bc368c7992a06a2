//! One client's connection, watched for what actix does not watch: a client that holds it without moving.
//!
//! actix gives the first head of a connection a time limit and the later ones none, waits for ever for a client that does
//! not read, and stops listening to one that sends much ahead of its answer, so that it would miss its going. [`Line`] stands
//! between actix and the socket and ends such a connection; dropping the answer, and with it the provider's request, is
//! then actix's own doing.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What is read at once: actix would go on to 128 KiB, which it keeps for as long as the connection is open.
const BURST: usize = 32 * 1024;

/// What is read at once of a request that has yet to begin. It leaves the buffer that actix starts with as much room as it
/// wants to have left; with less it takes one twice as large.
const BEGINNING: usize = 7 * 1024;

/// What a client may send ahead while its audio is being worked on.
const MOST_AHEAD: usize = 64 * 1024;

/// Where the exchange on a connection stands. Shared by the [`Line`] and the request in progress.
#[derive(Debug, Default)]
pub struct Connection {
    busy: Cell<bool>,
    /// How many requests there were: one may begin and end between two reads.
    begun: Cell<u64>,
    waits_for_answer: Cell<bool>,
    ahead: Cell<usize>,
}

impl Connection {
    /// A request has begun; it is over when the guard is dropped.
    pub(super) fn begin(self: &Rc<Self>) -> Busy {
        self.busy.set(true);
        self.begun.set(self.begun.get().wrapping_add(1));
        self.waits_for_answer.set(false);
        self.ahead.set(0);
        Busy(Rc::clone(self))
    }

    /// The whole body is here: what comes now is ahead of its time.
    pub(super) fn body_is_in(&self) {
        self.waits_for_answer.set(true);
    }
}

/// A request in progress.
pub(super) struct Busy(Rc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}

/// How long a client may do nothing.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Between two requests.
    pub keep_alive: Duration,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// While there is something for it to take.
    pub write: Duration,
}

/// The socket, as actix sees it.
pub struct Line {
    socket: TcpStream,
    connection: Rc<Connection>,
    limits: Limits,
    /// The last request that was seen to begin.
    begun: u64,
    /// Whether a byte of the next head has come.
    in_head: bool,
    /// Runs between requests: until the next one shall begin.
    idle: Option<Pin<Box<Sleep>>>,
    /// Runs while the client takes nothing.
    write: Option<Pin<Box<Sleep>>>,
    /// What was read since actix had to look at it.
    burst: usize,
}

impl Line {
    /// Watches `socket`.
    pub fn new(socket: TcpStream, limits: Limits) -> Self {
        Self { socket, connection: Rc::default(), limits, begun: 0, in_head: false, idle: None, write: None, burst: 0 }
    }

    /// Where the exchange stands.
    pub fn connection(&self) -> Rc<Connection> {
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
            if begins { line.read_beginning(cx, buffer) } else { Pin::new(&mut line.socket).poll_read(cx, buffer) };
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
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut beginning))?;
        let count = beginning.filled().len();
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }

    /// `written`, unless the client has taken nothing for too long.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(self.limits.write)));
        if is_over(Some(timer), cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = Pin::new(&mut line.socket).poll_write(cx, bytes);
        line.watch(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = Pin::new(&mut line.socket).poll_write_vectored(cx, slices);
        line.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
