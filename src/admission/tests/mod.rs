//! Tests of admission with a real store below it.

mod estimates;
mod limiter;
mod pieces;
mod revisions;
mod targets;
mod unreliable_store;
