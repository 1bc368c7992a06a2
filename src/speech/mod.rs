//! The sound itself: decodes a recording, looks for speech in it, cuts it at pauses, and encodes the pieces. This module
//! knows no HTTP, no provider and no caller.
//!
//! Positions and lengths are [`Samples`] of 16 kHz mono, so a sample's index is its time.

mod decode;
mod piece;
mod samples;

pub use decode::{DecodeReport, Reason, SoundError, SoundReader};
pub use piece::Piece;
pub use samples::{Samples, Span};
