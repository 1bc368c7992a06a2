//! The store of limits, budgets and the ledger: the interface between admission and two stores with the same behavior.
//!
//! - [`Embedded`]: rates and leases in this process, budgets and the ledger in a SQLite file. The default.
//! - [`Redis`]: everything in Redis, for any number of gateways.
//!
//! Three operations write: [`Store::admit`] decides and charges in one step, [`Store::revise`] changes the charge of an
//! open permit, [`Store::settle`] corrects the charge or takes it all back, once. The other operations are queries, sessions and revocations. The tests in `tests` define the
//! behavior of both stores.
//!
//! A store may have decided a question whose answer was lost, or may still decide it. Therefore:
//!
//! - the id of a permit stands for one decision: asked again with it, a store gives the same answer and takes nothing
//!   more;
//! - the number of a revision stands for one change of a permit: neither a repetition nor an earlier number changes more;
//! - a settlement closes the id, even if the store does not know it: a later question with this id takes nothing,
//!   and a later revision changes nothing.
//!
//! # Layout
//!
//! - `interface`: the operations of a store; `error`: its errors and its availability; `timed`: its metrics
//! - `embedded`, `redis`: the two stores; `read`: reads and revocations by the operator's commands

pub(crate) mod embedded;
mod error;
mod interface;
mod read;
mod redis;
#[cfg(test)]
pub(crate) mod tests;
mod timed;

pub use embedded::{Embedded, OpenError, ProbeResult, probe_directory};
pub use error::{Availability, StoreError};
pub use interface::Store;
pub use read::LedgerReader;
pub use redis::Redis;
pub use timed::Operation;
