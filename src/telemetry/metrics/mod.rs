//! Metrics for Prometheus.
//!
//! Each module counts its own events; this module defines only the names and meanings of the families, so that no name
//! is given twice. Gauges are not counted: they are read from the objects when Prometheus scrapes, and written on the
//! same [`Page`].
//!
//! - `families`: every family, with its help and its labels
//! - [`Label`]: a value that cannot be a client's own words
//! - `kinds`: counters, sums of money and time that stay exact, histograms, gauges
//! - [`Page`]: the text that is scraped
//!
//! The counts belong to the process and survive every change of the settings.

mod families;
mod kinds;
mod label;
mod page;
mod recorder;

pub use families::*;
pub use kinds::{Counter, Descriptor, Gauge, Histogram, Kind, Sum};
pub use label::Label;
pub use page::Page;
pub use recorder::upkeep;
