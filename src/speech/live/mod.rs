//! The sound of a live session: pieces of bytes go in one after another, and turns of speech come out.
//!
//! The work is done on the threads of the [`SpeechPool`], and no thread waits for more bytes. Between two pieces a session
//! holds the state of its decoder, the samples of less than a turn's end, and the small buffers of the open turn's file.
//!
//! - [`LiveSound`]: takes the pieces and hands out the turns
//! - [`LiveFormat`]: the form of the bytes; [`Heard`]: what is new; [`LiveSoundError`]: why a piece was not taken
//! - `machine`: the work that a thread does, turn by turn; `trial`: tries out whether a piece continues the recording

mod error;
mod format;
mod heard;
mod machine;
mod sound;
#[cfg(test)]
mod tests;
mod trial;

pub use error::LiveSoundError;
pub use format::LiveFormat;
pub use heard::Heard;
pub use sound::LiveSound;
