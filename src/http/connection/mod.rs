//! What a client's connection speaks, and for how long one that does not move is kept.
//!
//! A connection comes in at the [`door`], where TLS is agreed on. HTTP/1 is actix's to speak, over a [`line`] that watches;
//! HTTP/2 is spoken by [`streams`]. This knows of bytes, clients and time, and nothing of what is asked.

mod door;
mod line;
mod pipe;
mod streams;
mod tls;
mod upload;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Version;

pub use door::door;
pub use tls::{Tls, TlsError};

use pipe::Pipe;

/// How long a client that is refused early may go on sending, so that it sees the answer and no reset.
const LINGER: Duration = Duration::from_secs(5);

/// How long a client that was told to leave may stay with nothing to do, and how long one may ask that has only come to a
/// gateway that closes.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where the exchange on a connection that speaks HTTP/1 stands. Shared by its [`line`] and the request in progress.
#[derive(Debug)]
pub(super) struct Connection {
    is_secure: bool,
    busy: Cell<bool>,
    /// How many requests there were: one may begin and end between two reads.
    begun: Cell<u64>,
    waits_for_answer: Cell<bool>,
    ahead: Cell<usize>,
}

impl Connection {
    fn new(is_secure: bool) -> Self {
        let (busy, waits_for_answer) = (Cell::new(false), Cell::new(false));
        Self { is_secure, busy, begun: Cell::new(0), waits_for_answer, ahead: Cell::new(0) }
    }

    /// Whether it goes over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

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
struct Limits {
    /// Between two requests.
    pub(super) keep_alive: Duration,
    /// From the first byte of a head to its last.
    pub(super) head: Duration,
    /// While there is something for it to take.
    pub(super) write: Duration,
}

/// Whether a request came over TLS to here. HTTP/2 is spoken over nothing else.
pub(super) fn is_secure(request: &HttpRequest) -> bool {
    request.version() == Version::HTTP_2
        || request.conn_data::<Rc<Connection>>().is_some_and(|connection| connection.is_secure)
}
