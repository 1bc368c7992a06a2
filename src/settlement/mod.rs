//! Settlements on their way to the store: written at once, or by a background queue that retries until the store accepts
//! them, with a journal on disk for what it could not.

mod desk;
mod journal;
mod settler;

pub use desk::Desk;
pub(crate) use desk::Letterbox;
pub use settler::Pending;
pub(crate) use settler::Settler;
