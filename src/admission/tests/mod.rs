//! Tests of admission with a real store below it.

mod unreliable_store;
