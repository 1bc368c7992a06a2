//! Where a recording is cut, decided while it is decoded: a pure function of the scores of its frames.
//!
//! Voice is a run of frames that score as speech; a pause of [`frame::MIN_PAUSE`] ends it. A silence of
//! [`rules::MIN_GAP`] divides the recording into regions. Each region begins and ends with a little silence, the
//! padding; the rest of the silence between two regions is not sent. A region that is too long for one piece is cut in
//! the middle of the longest pause near the target length. Without a pause, the cut lies where the sound is least like
//! speech. A live session is divided by shorter silences, into turns. Pieces never overlap: overlaps were measured, and cost more words than they save.
//!
//! - [`CutRules`]: how long pieces are, and whether silence is sent
//! - `frame`: the score and the energy of 16 ms
//! - `activity`: frames to stretches of voice
//! - `cut_point`: the best cut in a window of frames
//! - [`Cutter`]: frames to decisions

mod activity;
mod cut_point;
mod cutter;
mod frame;
mod rules;
#[cfg(test)]
mod tests;

pub(super) use cutter::{Cutter, Decision, PieceFacts};
pub(super) use frame::{FRAME, Frame};
pub use rules::{CutRules, PieceLimits};
