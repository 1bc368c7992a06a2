//! Client connections: protocols, and the time limits of idle ones.
//!
//! The [`door`] accepts a connection, counts it among the [`open`] ones and performs the TLS handshake. actix speaks
//! HTTP/1 over a [`line`], which reads heads strictly and takes bodies out of their [`chunks`]. [`streams`] speaks
//! HTTP/2, with a bound on [`control_frames`]. This module handles bytes, clients and time, and knows nothing of the
//! requests' content.

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

/// The time for which a client that was refused early may go on sending, so that it sees the answer and no reset.
const LINGERING_CLOSE: Duration = Duration::from_secs(5);

/// The time for which a client may stay idle after the gateway asked it to leave, and for which a client that connects
/// during shutdown may still send a request.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// The time limits for an inactive client.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The time limit between two requests.
    keep_alive: Duration,
    /// The time limit from the first byte of a head to its last.
    head: Duration,
    /// The time limit for the client to read data that waits for it.
    write: Duration,
}

/// Returns true if the request reached the gateway over TLS. HTTP/2 always uses TLS here.
pub(super) fn is_secure(request: &HttpRequest) -> bool {
    request.version() == Version::HTTP_2
        || request.conn_data::<std::rc::Rc<Connection>>().is_some_and(|connection| connection.is_secure())
}
