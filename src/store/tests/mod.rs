//! What a store must do, held against both of them and against Redis in a cluster.
//!
//! - `model`: the plain rules, without a store
//! - `sequences`: any sequence of requests gives the verdicts of the model
//! - `sessions`: what makers do with sessions
//! - `edges`: many at once, and what comes after failures
//! - `asked_twice`: what is asked or told twice, late, or after it was taken back
//! - `faults`: what can happen to a store
//! - `unreliable_redis`: Redis behind a line that fails as it is told; the embedded store has its own, `by_hand`
//! - `bench`: the stores under test, by a clock that is moved by hand

mod asked_twice;
pub(crate) mod bench;
mod edges;
pub(crate) mod faults;
mod model;
mod sequences;
mod sessions;
pub(crate) mod unreliable_redis;

pub(crate) use faults::{Fault, Faults};
pub(crate) use unreliable_redis::Unreliable;

#[path = "../../../tests/support/redis.rs"]
#[allow(dead_code, clippy::print_stderr, reason = "other tests use the rest")]
pub(super) mod redis_server;
