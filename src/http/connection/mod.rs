//! What a client's connection speaks, and for how long one that does not move is kept.
//!
//! A connection comes in at the [`door`], where it is counted among those that are [`open`], and where TLS is agreed on.
//! HTTP/1 is actix's to speak, over a [`line`] that reads heads strictly and takes bodies out of their [`chunks`]; HTTP/2
//! is spoken by [`streams`], within a bound on [`control_frames`]. This knows of bytes, clients and time, and nothing of
//! what is asked.

mod body;
mod chunks;
mod control_frames;
mod door;
mod head;
mod line;
mod open;
mod pipe;
mod state;
mod streams;
mod tls;
mod upload;

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Version;

pub use body::hold_connection;
pub(super) use body::{settle, watch_body};
pub use door::{Acceptor, door};
pub(super) use head::Fault;
pub(super) use open::CloseReason;
pub use open::OpenConnections;
pub(super) use state::{Connection, RequestGuard};
pub use tls::{Tls, TlsError};

use pipe::MaybeTls;

/// How long a client that is refused early may go on sending, so that it sees the answer and no reset.
const LINGERING_CLOSE: Duration = Duration::from_secs(5);

/// How long a client that was told to leave may stay with nothing to do, and how long one may ask that has only come to a
/// gateway that closes.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// How long a client may do nothing.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Between two requests.
    keep_alive: Duration,
    /// From the first byte of a head to its last.
    head: Duration,
    /// While there is something for it to take.
    write: Duration,
}

/// Whether a request came over TLS to here. HTTP/2 is spoken over nothing else.
pub(super) fn is_secure(request: &HttpRequest) -> bool {
    request.version() == Version::HTTP_2
        || request.conn_data::<std::rc::Rc<Connection>>().is_some_and(|connection| connection.is_secure())
}
