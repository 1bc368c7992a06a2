//! Traces: the way of each request through the house, as OpenTelemetry has it, for a collector that takes OTLP.
//!
//! A request is one trace, or its part of its client's: a root span, and below it a span for each of the seven steps. Without
//! a collector there is nothing here but an empty [`Trace`]. As with [`metrics`](super::metrics), every room may use this one,
//! and it knows no room but `config`. What a span says may go to a third party: it has no subject, and nothing that is in no
//! log.
//!
//! # Layout
//!
//! - `exporter`: hands spans to the collector in the background
//! - `trace`: one request; `span`: one step of it

mod exporter;
mod span;
mod trace;

pub use exporter::{Traces, TracesError};
pub use span::{Span, Step};
pub use trace::{RemoteParent, Trace};
