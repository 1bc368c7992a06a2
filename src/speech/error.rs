//! The reasons why a recording could not be cut.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::decode::SoundError;
use super::flac::FlacError;
use crate::domain::AudioMs;
use crate::fair_share::Refused;
use crate::intake::SpoolError;

/// The reason why a recording could not be cut.
#[derive(Debug, Error)]
pub enum SpeechError {
    /// A recording that cannot be decoded.
    #[error(transparent)]
    Sound(SoundError),
    /// A recording that takes more processor time than one of its length may.
    #[error("decoding {length} s of sound took more than {} ms of processor time", allowed.as_millis())]
    TooExpensive {
        /// The length that was measured.
        length: AudioMs,
        /// The processor time that a recording of that length may take.
        allowed: Duration,
    },
    /// A recording of which only a bound of the length was known, and which is longer than it may be.
    #[error("audio duration is longer than the {max} seconds that are allowed")]
    TooLong {
        /// The longest sound that is allowed.
        max: AudioMs,
    },
    /// A queue for the pool of threads in which the caller has no place left.
    #[error("too many recordings wait to be decoded")]
    NoTurn(Refused),
    /// A spool that has no space for a piece.
    #[error("there is no room for a piece of the recording")]
    NoRoom(Refused),
    /// A recording that cannot be read, or a piece that cannot be written.
    #[error("the sound could not be read or written")]
    Io(#[source] io::Error),
    /// A failure of the encoder.
    #[error("a piece of the recording could not be encoded")]
    Encoder(#[source] FlacError),
    /// Work that ended before the recording did: it was cancelled, or it failed by a defect.
    #[error("the decoding of a recording broke off")]
    BrokeOff,
}

impl From<SpoolError> for SpeechError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::NoRoom(refused) => Self::NoRoom(refused),
            SpoolError::Io(error) => Self::Io(error),
        }
    }
}

impl From<Refused> for SpeechError {
    fn from(refused: Refused) -> Self {
        Self::NoRoom(refused)
    }
}

impl From<FlacError> for SpeechError {
    fn from(error: FlacError) -> Self {
        Self::Encoder(error)
    }
}
