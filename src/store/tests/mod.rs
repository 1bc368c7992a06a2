//! The contract of a store, tested against both stores and against Redis in a cluster.
//!
//! - `model`: the plain rules, without a store
//! - `sequences`: any sequence of requests gives the verdicts of the model
//! - `sessions`: the operations of makers on sessions
//! - `edges`: concurrent requests, and recovery after failures
//! - `asked_twice`: questions and settlements that come twice, late, or after they were taken back
//! - `revisions`: changes of the charge of an open permit
//! - `records`: what callers and operators read: requests by their ids, the totals of all callers, the last requests
//! - `faults`: the faults of a store
//! - `unreliable_redis`: Redis behind a line with faults; the embedded store has its own, `manual`
//! - `bench`: the stores under test, with a clock that is moved by hand

mod asked_twice;
pub(crate) mod bench;
mod edges;
pub(crate) mod faults;
mod model;
mod records;
mod revisions;
mod sequences;
mod sessions;
pub(crate) mod unreliable_redis;

pub(crate) use faults::{Fault, Faults};
pub(crate) use unreliable_redis::Unreliable;

#[path = "../../../tests/support/redis.rs"]
#[allow(dead_code, clippy::print_stderr, reason = "other tests use the rest")]
pub(super) mod redis_server;
