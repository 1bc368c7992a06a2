//! Models for a job: their fitness for it, the targets of one request, and its attempts so far.

mod attempt_target;
mod attempts;
mod fit;
mod piece;

mod targets;

pub use attempt_target::AttemptTarget;
pub(crate) use attempts::{AttemptEntry, AttemptFailure, UploadFlag};
pub use attempts::{AttemptLog, Attempts};
pub use fit::Unfit;
pub(crate) use fit::check;
pub use piece::{PieceProgress, SentPiece};

pub use targets::{Target, TargetChain};
