//! OpenTelemetry traces of requests, for a collector that accepts OTLP.
//!
//! A request is one trace, or part of its client's trace: a root span with a child span for each of the seven steps.
//! Without a collector each [`Trace`] is empty. As with [`metrics`](super::metrics), every module may use this one, and
//! it depends on no module but `config`. Spans may go to a third party: they contain no subject, and nothing that the
//! logs leave out.
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
