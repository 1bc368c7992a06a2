//! Metrics for Prometheus.
//!
//! Each module counts its own events; this module defines only the names and meanings of the families, so that no name
//! is given twice. Gauges are not counted: they are read from the objects when Prometheus scrapes, and written on the
//! same [`Page`].
//!
//! - `list`: every family, with its help and its labels; `families`, `descriptors`: what is made of it
//! - [`Label`]: a value that cannot be a client's own words
//! - `kinds`: counters, sums of money and time that stay exact, histograms, gauges
//! - [`Page`]: the text that is scraped
//!
//! The counts belong to the process and survive every change of the settings.

mod buckets;
mod descriptor;
mod descriptors;
mod families;
mod kinds;
mod label;
mod list;
mod page;
mod recorder;

pub use descriptor::{Descriptor, Kind};
pub use descriptors::families;
pub use families::*;
pub use kinds::{Counter, Gauge, Histogram, Sum};
pub use label::Label;
pub use page::Page;
pub use recorder::upkeep;
