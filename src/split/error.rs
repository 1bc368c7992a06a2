//! The reasons why a request has no transcript, or not the whole of it.

use crate::upstream::{Refused, UpstreamError};

/// The reason why there is no whole transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// No provider answered, and no part of the transcript exists.
    #[error(transparent)]
    Provider(#[from] UpstreamError),
}

impl TranscriptError {
    /// Returns the provider's error, if it is one.
    pub fn provider(&self) -> Option<&UpstreamError> {
        match self {
            Self::Provider(error) => Some(error),
        }
    }

    /// Returns the provider's refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        self.provider().and_then(UpstreamError::refused)
    }
}
