//! Models for a job: their fitness for it, the targets of one request, and its attempts so far.

mod attempts;
mod fit;
mod targets;

pub(crate) use attempts::{AttemptEntry, AttemptFailure, UploadFlag};
pub use attempts::{AttemptLog, AttemptTarget, Attempts};
pub use fit::Unfit;
pub(crate) use fit::check;
pub use targets::{Target, TargetChain};
