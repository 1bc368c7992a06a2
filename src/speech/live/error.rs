//! The reasons why a piece of a live session was not taken.

use std::io;

use thiserror::Error;

use crate::fair_share::Refused;
use crate::speech::error::SpeechError;
use crate::speech::flac::FlacError;

/// The reason why a piece of a live session was not taken. After all but the first two, the sound takes no more pieces.
#[derive(Debug, Error)]
pub enum LiveSoundError {
    /// A piece that is no audio, or does not continue the recording. It changed nothing: other bytes can come in its place.
    /// If the recording was not understood before anything of it was heard, it begins anew with the next piece.
    #[error("{reason}")]
    NotAudio {
        /// A sentence without its stop for the client: what came, and what is allowed.
        reason: String,
    },
    /// The pool of threads has no place for the caller's first piece. It changed nothing.
    #[error("too many recordings wait to be decoded")]
    Busy(Refused),
    /// Sound that is damaged beyond use, too long, or too expensive. What was heard before remains, for
    /// [`LiveSound::finish`](super::LiveSound::finish).
    #[error("{reason}")]
    Unusable {
        /// A sentence without its stop for the client.
        reason: String,
    },
    /// A spool that has no space for a turn.
    #[error("there is no room for a turn of the session")]
    NoRoom(Refused),
    /// A piece that cannot be read, or a turn that cannot be written.
    #[error("the sound could not be read or written")]
    Io(#[source] io::Error),
    /// A failure of the encoder.
    #[error("a turn of the session could not be encoded")]
    Encoder(#[source] FlacError),
    /// Work that ended before the piece did: its future was dropped, or it failed by a defect.
    #[error("the decoding of a session broke off")]
    BrokeOff,
}

impl From<SpeechError> for LiveSoundError {
    fn from(error: SpeechError) -> Self {
        match error {
            SpeechError::NoTurn(refused) => Self::Busy(refused),
            SpeechError::NoRoom(refused) => Self::NoRoom(refused),
            SpeechError::Io(error) => Self::Io(error),
            SpeechError::Encoder(error) => Self::Encoder(error),
            SpeechError::BrokeOff => Self::BrokeOff,
            other @ (SpeechError::Sound(_) | SpeechError::TooExpensive { .. } | SpeechError::TooLong { .. }) => {
                Self::Unusable { reason: other.to_string() }
            }
        }
    }
}
