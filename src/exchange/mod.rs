//! One request in flight: what is told of it once, for the log, the metrics and the trace.

mod log;

pub use log::{Outcome, Record};
