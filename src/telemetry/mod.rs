//! Output for operators: logs, one event for each request, [`metrics`] and [`traces`]. Never contains audio,
//! transcripts, tokens or keys.

mod logs;
pub mod metrics;
mod spans;
pub mod traces;

pub use logs::{LogError, start as start_logs, start_warnings};
pub use spans::{RequestSpan, new_request_id};
