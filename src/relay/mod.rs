//! The answer to the client: a whole answer byte for byte, or a stream of server-sent events.
//!
//! A client that asks for a stream gets one from every model: if the provider answers whole, the gateway makes the same
//! events from that answer. This module reads the usage in what it relays, and changes nothing in it. It reports what
//! happens to the request's [`Exchange`](crate::exchange::Exchange).
//!
//! # Layout
//!
//! - `answer`: the choice between a whole answer and a stream; `context`: what both need
//! - `stream`: the stream, with its keep-alives and its end; `whole`: the events of a whole answer
//! - `frame`: what is read and written in events; `open`: the count of open streams

mod answer;
mod context;
mod frame;
mod open;
mod stream;
#[cfg(test)]
mod tests;
mod whole;

pub use answer::{Relayed, relay};
pub use context::RelayContext;
pub use open::streams_open;
pub use stream::TranscriptFuture;
