//! What did it cost? Usage as providers report it, prices, and the records of what was charged.
//!
//! This room knows neither callers' rights nor stores: [`admission`](crate::admission) writes what is worked out here.

mod entry;
mod price;
mod settlement;
mod statement;
mod usage;

pub use entry::{Charge, Ending, Entry, Memo, PermitId};
pub use price::{Price, TokenPrice};
pub use settlement::{RateRefund, Settlement, Unknown};
pub use statement::{Statement, Tally};
pub use usage::{Report, Usage};
