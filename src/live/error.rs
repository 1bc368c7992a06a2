//! The errors of a live session.

use std::sync::Arc;
use std::time::Duration;

use super::event_log::EventLogError;
use crate::admission::Refusal;
use crate::domain::AudioMs;
use crate::speech::LiveSoundError;
use crate::upstream::UpstreamError;

/// A failure of a turn, or of a session.
#[derive(Debug, thiserror::Error)]
pub enum LiveFailure {
    /// No provider has transcribed a turn.
    #[error(transparent)]
    Turn(UpstreamError),
    /// The caller's limits, its token or the store do not allow more.
    #[error("{refusal} The session has ended: nothing from {} seconds on is transcribed.", .heard)]
    NotAdmitted {
        /// The refusal.
        refusal: Arc<Refusal>,
        /// The position up to which the audio is transcribed.
        heard: AudioMs,
    },
    /// The audio came much faster than it could be transcribed.
    #[error(
        "The audio is more than {} seconds ahead of its transcript, so the session takes no more of it and has ended. Send \
        audio as it is spoken; a recording goes to /v1/audio/transcriptions.",
        .max.as_secs()
    )]
    TooFarAhead {
        /// The largest distance.
        max: Duration,
    },
    /// The sound cannot be decoded further.
    #[error("The audio of the session cannot be decoded further: {0}.")]
    Sound(LiveSoundError),
    /// The caller has given the session up.
    #[error("The session was deleted.")]
    Deleted,
    /// The events take more room than a session has.
    #[error(transparent)]
    Events(#[from] EventLogError),
    /// The task of the session has ended before it: the gateway stops, or failed.
    #[error("The gateway has stopped the session.")]
    Stopped,
}

/// The reason why a session does not take a piece of audio. Nothing of the piece was used.
#[derive(Debug, thiserror::Error)]
pub enum PieceRefused {
    /// The session takes no more audio.
    #[error("The live session has ended and takes no more audio.")]
    Ended,
    /// A piece before this one is missing.
    #[error("The piece has seq {seq}, but the next one is {next_seq}.")]
    WrongSeq {
        /// The number that the piece has.
        seq: u64,
        /// The number of the next piece.
        next_seq: u64,
    },
    /// The piece has no samples. Only the pieces of a recorder may be empty.
    #[error("The piece is empty. A piece of pcm16 has at least one byte.")]
    Empty,
    /// The bytes are no audio of the session's format, or the sound cannot be taken now.
    #[error("{0}.")]
    Sound(LiveSoundError),
    /// The caller's rate of audio is used up.
    #[error("{0}")]
    NotAdmitted(Arc<Refusal>),
    /// The audio is too far ahead of its transcript.
    #[error("The audio is more than {} seconds ahead of its transcript.", .max.as_secs())]
    TooFarAhead {
        /// The largest distance.
        max: Duration,
    },
}
