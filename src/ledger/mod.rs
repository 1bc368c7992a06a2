//! What did it cost? The usage that a provider reports, in whole answers and in streams alike.

mod usage;

pub use usage::Usage;
