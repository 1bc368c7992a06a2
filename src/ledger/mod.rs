//! What requests cost: usage as providers report it, prices, and the records of charges. It knows neither callers' rights
//! nor stores.

mod entry;
mod price;
mod statement;
mod usage;

pub use entry::{Charge, Ending, Entry, PermitId, RequestInfo};
pub use price::{Price, TokenPrice};
pub use statement::{Statement, Tally};
pub use usage::{Report, Usage};
