//! Costs of requests: usage as providers report it, prices, and records of charges. This module knows neither callers'
//! rights nor stores.

mod entry;
mod price;
mod sheet;
mod statement;
mod totals;
mod usage;

pub use entry::{Charge, Ending, Entry, PermitId, RequestInfo};
pub use price::{Price, TokenPrice};
pub use sheet::{Sheet, tally_cells};
pub use statement::{Statement, Tally};
pub use totals::{CallerTally, MAX_CALLERS, Totals};
pub use usage::{Report, Usage};
