//! HTTP/1: actix's server, behind a watchdog that reads strictly and bounds what a client may do.
//!
//! The [`watchdog`] passes heads on that [`head`] has accepted, and bodies out of their [`chunks`]. The [`connection`]
//! is the state that the watchdog shares with the request in progress, which [`service`] tracks.

mod body;
mod chunk_frames;
mod chunks;
mod connection;
mod head;
mod read_ahead;
mod refusal;
mod service;
mod watchdog;

pub(super) use connection::Http1Connection;
pub use head::Fault;
pub(super) use head::host_of;
pub(super) use service::{before_continue, track};
pub(super) use watchdog::{Http1Watchdog, Refuse};
