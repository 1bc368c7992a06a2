//! The shared store: everything in Redis, so that any number of gateways hold the same limits.
//!
//! One script admits (`admit.lua`), one changes the charge of an open permit (`revise.lua`), one settles (`settle.lua`), one
//! takes back requests whose callers have left (`void.lua`). Each is one round trip, on keys of one caller, and may be sent
//! again if its answer is lost. While Redis is down or slow, a request waits at most `redis.timeout`.
//!
//! - `store`: the store; `shared`: the state that its operations and its watch share
//! - `admit`, `revise`, `settle`, `sessions`, `revoked`, `query`, `totals`: the operations
//! - `months`: times near the turn of a month
//! - `scripts`: the scripts and their arguments; `charge_arguments`: those that `admit` and `revise` share; `keys`, `records`: the names and the content of the data
//! - `connections`: a connection for each runtime; `health`: the availability of each shard
//! - `scan`, `probe`: the operator's commands

mod admit;
mod charge_arguments;
mod connections;
mod health;
mod keys;
mod log_position;
mod months;
mod probe;
mod query;
mod records;
mod revise;
mod revoked;
mod scan;
mod scripts;
mod sessions;
mod settle;
mod shared;
mod store;
mod totals;

pub use store::Redis;
