//! The sound itself: decodes a recording, looks for speech in it, cuts it at pauses, and encodes the pieces. This module
//! knows no HTTP, no provider and no caller.
//!
//! Positions and lengths are [`Samples`] of 16 kHz mono, so a sample's index is its time.
//!
//! - [`SpeechPool`]: the threads that do the work; [`Cutting`]: one recording that they work on, [`Piece`] by piece
//! - [`LiveSound`]: the sound of a live session, which comes piece by piece
//! - `decode`: a recording to samples
//! - `voice`: samples to frames that are more or less like speech
//! - `cut`: frames to decisions about where the recording is cut, by [`CutRules`]
//! - `flac`, `wav`: samples to a file, in the [`Encoding`] that the provider takes

mod cut;
mod cutting;
mod decode;
mod encoding;
mod error;
mod flac;
mod live;
mod piece;
mod pool;
mod samples;
#[cfg(test)]
mod testing;
mod voice;
mod wav;

pub use cut::{CutRules, PieceLimits};
pub use cutting::{CutReport, Cutting, LateMeasurement};
pub use decode::{DecodeReport, Reason, SoundError, SoundReader};
pub use encoding::Encoding;
pub use error::SpeechError;
pub use flac::FlacError;
pub use live::{Heard, LiveFormat, LiveSound, LiveSoundError};
pub use piece::Piece;
pub use pool::SpeechPool;
pub use samples::{Samples, Span};
