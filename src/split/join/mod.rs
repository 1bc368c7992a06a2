//! The transcripts of the pieces of a recording, joined to the one that the model would have given for all of it.
//!
//! A [`Joiner`] takes the answers in the order of time and gives, for each, what a stream adds ([`Added`]), and in the end
//! the whole answer ([`Joined`]). A [`TurnJoiner`] does the same for a live session, and [`SegmentCues`] are its subtitles. They read and write no more than bytes that are in memory.

mod common;
mod cues;
mod error;
mod events;
mod joined;
mod joiner;
mod json;
mod members;
mod place;
mod request;
mod seam;
mod segment_cues;
mod segments;
mod sentences;
mod speakers;
mod stamp;
mod times;
mod turn;
mod usage;
mod voice;
mod wrap;

#[cfg(test)]
mod tests;

pub use cues::Subtitles;
pub use error::JoinError;
pub use events::Added;
pub use joined::{Joined, Partial};
pub use joiner::Joiner;
pub use place::PiecePlace;
pub use request::{JoinRequest, Times};
pub use segment_cues::SegmentCues;
pub use turn::{TurnJoiner, TurnSegment};
