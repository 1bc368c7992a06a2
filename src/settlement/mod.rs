//! Settlements on their way to the store: written at once, or by a background queue that retries until the store
//! accepts them, with a journal on disk for the waiting ones.

mod journal;
mod queue;
mod settler;

pub use queue::SettlementQueue;
pub(crate) use queue::SettlementQueueBuilder;
#[cfg(test)]
pub(crate) use settler::Backlog;
pub use settler::BacklogSnapshot;
pub(crate) use settler::Settler;
