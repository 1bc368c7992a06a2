//! The record of a request in flight: its facts, recorded once for the log, the metrics and the trace.

mod log;

pub use log::{Outcome, Record};
