//! Client connections: bytes to requests and back, and the time limits of clients that stall.
//!
//! The [`acceptor`] counts a connection among the [`open_connections`] and performs the TLS handshake. HTTP/1 is
//! actix's, behind the watchdog of [`http1`], which reads heads strictly and takes bodies out of their chunks.
//! [`http2`] speaks HTTP/2 over the `h2` crate, with the bounds that actix's HTTP/2 lacks.
//!
//! This module handles bytes, clients and time. It knows no route: `app` hands it the application and its [`Hooks`].

mod acceptor;
mod close_reason;
mod http1;
mod http2;
mod io;
mod limits;
mod metrics;
mod open_connections;
mod tls;

pub use acceptor::{Acceptor, Hooks, accept};
pub use http1::Fault;
pub use limits::TimeLimits;
pub use metrics::write_metrics;
pub use open_connections::OpenConnections;
pub use tls::{CurrentTls, Tls, TlsError};
