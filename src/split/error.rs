//! The reasons why a request has no transcript, or not the whole of it.

use super::join::Partial;
use crate::admission::Refusal;
use crate::speech::{Span, SpeechError};
use crate::upstream::{Refused, UpstreamError};

/// The reason why there is no whole transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// No provider answered, and no part of the transcript exists.
    #[error(transparent)]
    Provider(#[from] UpstreamError),
    /// The recording cannot be decoded, and no part of the transcript exists.
    #[error(transparent)]
    Sound(#[from] SpeechError),
    /// The recording, which a provider refused whole, was not sent in pieces: the caller's limits do not allow their cost.
    #[error("{} The provider takes this recording only in pieces, and none of them was sent.", .0.refusal)]
    NotDivided(Box<NotDivided>),
    /// Part of the transcript is missing.
    #[error("The transcript is not complete: part of the recording could not be transcribed. {}", .0.cause)]
    Incomplete(Box<Incomplete>),
}

/// A recording that a provider refused whole, and the caller's limits in pieces.
#[derive(Debug)]
pub struct NotDivided {
    /// The refusal of the pieces.
    pub refusal: Refusal,
    /// The provider's refusal.
    pub provider: UpstreamError,
}

/// A transcript of which part is missing.
pub struct Incomplete {
    /// The part that was heard.
    pub partial: Partial,
    /// The stretches of the recording that are missing, in order.
    pub missing: Vec<Span>,
    /// The failure of the first missing piece.
    pub cause: TranscriptError,
}

/// Shows no text: a transcript does not belong in a log.
impl std::fmt::Debug for Incomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incomplete").field("missing", &self.missing).field("cause", &self.cause).finish_non_exhaustive()
    }
}

impl TranscriptError {
    /// Returns the provider's error, if it is one.
    pub fn provider(&self) -> Option<&UpstreamError> {
        match self {
            Self::Provider(error) => Some(error),
            Self::Sound(_) => None,
            Self::NotDivided(not_divided) => Some(&not_divided.provider),
            Self::Incomplete(incomplete) => incomplete.cause.provider(),
        }
    }

    /// Returns the provider's refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        self.provider().and_then(UpstreamError::refused)
    }
}
