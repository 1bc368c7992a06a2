//! HTTP/2 over the `h2` crate. actix's own sets no bound on the size of a head, the number of streams, or the time for
//! which a client stalls an answer.

mod body;
mod control_frames;
mod convert;
mod exchange;
mod serve;

pub(super) use serve::{Client, serve};
