//! Models for a job: their fitness for it, the way of its recording to them, the targets of one request, and its attempts
//! so far.

mod attempt_target;
mod attempts;
mod fit;
mod piece;
mod piece_plan;
mod targets;
#[cfg(test)]
mod tests;
mod unfit;
mod way;

pub use attempt_target::AttemptTarget;
pub(crate) use attempts::{AttemptEntry, AttemptFailure, UploadFlag};
pub use attempts::{AttemptLog, Attempts};
pub(crate) use fit::{choose_way, does_pieces, plan_pieces, why_unfit};
pub use piece::{PieceProgress, SentPiece};
pub use piece_plan::PiecePlan;
pub use targets::{Target, TargetChain};
pub use unfit::Unfit;
pub use way::{Reason, Way};
