//! What did it cost? Usage as providers report it, prices, and the records of what was charged.
//!
//! This room knows neither callers' rights nor stores: [`admission`](crate::admission) writes what is worked out here.

mod attempts;
mod entry;
mod price;
mod statement;
mod usage;

pub(crate) use attempts::Sent;
pub use attempts::{Asked, Course};
pub use entry::{Charge, Ending, Entry, Memo, PermitId};
pub use price::{Price, TokenPrice};
pub use statement::{Statement, Tally};
pub use usage::{Report, Usage};
