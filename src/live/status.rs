//! The state of a live session as clients see it.

use crate::domain::AudioMs;

/// The state of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The phase.
    pub phase: Phase,
    /// The audio that was taken.
    pub position: Position,
    /// The position up to which the audio is transcribed, or known to be silence.
    pub transcribed: AudioMs,
}

/// The place in a session's audio at which the next piece goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The number of the next piece.
    pub next_seq: u64,
    /// The length of the audio so far.
    pub audio: AudioMs,
}

/// The phase of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It takes audio.
    Open,
    /// It takes no more audio, and what is left is being transcribed.
    Ending,
    /// It has ended, and its transcript is whole.
    Ended,
    /// An error has ended it.
    Failed,
}

impl Phase {
    /// Returns the word of the session's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    /// Returns true if no event follows.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

impl Status {
    pub(super) const fn new() -> Self {
        let position = Position { next_seq: 0, audio: AudioMs::new(0) };
        Self { phase: Phase::Open, position, transcribed: AudioMs::new(0) }
    }
}
