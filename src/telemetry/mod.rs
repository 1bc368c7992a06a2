//! What the gateway says: logs, one event for each request, [`metrics`] and [`traces`]. Never audio, a transcript, a token or
//! a key.

mod logs;
pub mod metrics;
mod spans;
pub mod traces;

pub use logs::start as start_logs;
pub use spans::{RequestSpan, new_request_id};
