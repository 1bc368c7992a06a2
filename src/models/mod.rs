//! Which model does a job: whether it can, the targets of one request, and how far its attempts have come.

mod attempts;
mod fit;
mod targets;

pub(crate) use attempts::UploadFlag;
pub use attempts::{AttemptLog, AttemptTarget};
pub use fit::Unfit;
pub(crate) use fit::check;
pub use targets::{Target, TargetChain};
