//! One request in flight, from its admission to the last byte of its answer. Each fact about it is reported here once, and
//! passed on to the permit, the log, the metrics and the trace.
//!
//! - [`Exchange`]: an admitted job, with its permit, its record and its attempts
//! - [`Record`]: what the log, the metrics and the trace say of any request; `facts` has the log event, `counts` the
//!   metrics, `spans` the end of the trace

mod counts;
mod facts;
mod in_flight;
mod record;
mod spans;
#[cfg(test)]
mod tests;

pub use facts::Outcome;
pub use in_flight::Exchange;
pub use record::Record;
