//! Tests of admission with a real store below it.

mod limiter;
mod unreliable_store;
