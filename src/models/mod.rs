//! Models for a job: their fitness for it, the way of its recording to them, the targets of one request, and its attempts so far.

mod attempts;
mod fit;
mod pieces;
mod targets;
#[cfg(test)]
mod tests;
mod unfit;
mod way;

pub(crate) use attempts::{AttemptEntry, AttemptFailure, UploadFlag};
pub use attempts::{AttemptLog, AttemptTarget, Attempts};
pub(crate) use fit::{choose_way, does_pieces, plan_pieces, why_unfit};
pub use pieces::PiecePlan;
pub use targets::{Target, TargetChain};
pub use unfit::Unfit;
pub use way::{Reason, Way};
