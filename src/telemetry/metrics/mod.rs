//! What is counted and timed, for Prometheus.
//!
//! Each room counts what happens in it where it happens; here is only what the families are called and mean, so that no
//! name is given twice. What goes up and down is not counted at all: it is read from the objects themselves when somebody
//! looks, and written on the same [`Page`].
//!
//! - `families`: every family, with its help and its labels
//! - [`Label`]: a value that cannot be a client's own words
//! - `kinds`: counters, sums of money and time that stay exact, histograms, gauges
//! - [`Page`]: the text that is scraped
//!
//! The counts are the process's own and outlive every change of the settings.

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
