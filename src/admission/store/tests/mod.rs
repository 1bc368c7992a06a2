//! What a store must do, held against both of them and against Redis in a cluster.
//!
//! - `model`: the plain rules, without a store
//! - `sequences`: any sequence of requests gives the verdicts of the model
//! - `edges`: many at once, and what comes after failures
//! - `bench`: the stores under test, by a clock that is moved by hand

mod bench;
mod edges;
mod model;
mod sequences;

#[path = "../../../../tests/support/redis.rs"]
#[allow(dead_code, clippy::print_stderr, reason = "other tests use the rest")]
pub(super) mod redis_server;
