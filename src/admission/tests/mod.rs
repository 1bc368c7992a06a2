//! Tests of admission with a real store below it.

mod limiter;
mod targets;
mod unreliable_store;
