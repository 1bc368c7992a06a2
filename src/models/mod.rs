//! Models for a job: their fitness for it, the way of its recording to them, the targets of one request, and its attempts
//! so far.
//!
//! - `fit`: the way of a job to a model, or the reason why there is none (`unfit`); `way`: the ways; `piece_plan`: the
//!   pieces that a model takes; `pieces_in_spool`: how many of them there are at the same time
//! - `targets`: the model entries that can do one job
//! - `attempts`: the attempts of a request, each at a target (`attempt_target`); `forwarding`: the state of one forwarding;
//!   `sent_piece`: the state of a piece

mod attempt_target;
mod attempts;
mod fit;
mod forwarding;
mod piece_plan;
mod pieces_in_spool;
mod sent_piece;
mod targets;
#[cfg(test)]
mod tests;
mod unfit;
mod way;

pub use attempt_target::AttemptTarget;
pub(crate) use attempts::{AttemptEntry, AttemptFailure};
pub use attempts::{AttemptLog, Attempts};
pub use fit::formats_of;
pub(crate) use fit::{choose_way, does_pieces, plan_pieces};
pub(crate) use forwarding::UploadFlag;
pub use piece_plan::{MaxPieces, PiecePlan};
pub use pieces_in_spool::PiecesInSpool;
pub use sent_piece::{PieceProgress, SentPiece};
pub use targets::{Target, TargetChain};
pub use unfit::Unfit;
pub use way::{Reason, Way};
