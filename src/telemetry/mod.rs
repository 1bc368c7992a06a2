//! What the gateway says: logs, and one event for each request. Never audio, a transcript, a token or a key.

mod logs;
mod record;
mod spans;

pub use logs::start as start_logs;
pub use record::{Outcome, Record};
pub use spans::{RequestSpan, new_request_id};
