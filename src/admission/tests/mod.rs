//! Tests of admission with a real store below it.

mod estimates;
mod folding;
mod limiter;
mod live;
mod pieces;
mod revisions;
mod targets;
mod unreliable_store;
