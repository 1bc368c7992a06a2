//! HTTP/1: actix's server, behind a watchdog that reads strictly and bounds what a client may do.
//!
//! The [`watchdog`] is the stream that actix reads and writes. Its [`request_reader`] passes on heads that [`head`] has
//! accepted, and bodies out of their [`chunks`]. The [`connection`] is the state that it shares with the request in
//! progress, which [`service`] tracks.

mod body;
mod chunk_frames;
mod chunks;
mod connection;
mod head;
mod read_ahead;
mod refusal;
mod request_reader;
mod server;
mod service;
mod stage;
#[cfg(test)]
mod tests;
mod watchdog;

pub(super) use connection::Http1Connection;
pub use head::HeadFault;
pub(super) use head::host_of;
pub(super) use request_reader::Refuse;
pub(super) use server::server;
pub(super) use watchdog::Http1Watchdog;
