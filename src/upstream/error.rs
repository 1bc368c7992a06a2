//! The reasons why a provider gives no answer.

use std::error::Error;
use std::time::Duration;

use super::{CandidateUnavailable, Refused, RefusedBody};

/// The reason why there is no answer to relay.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The model names a provider that is not configured.
    #[error("The model's provider is not configured.")]
    NoProvider,
    /// A key or another setting cannot stand in a header or in an address.
    #[error("The provider's settings cannot be sent.")]
    BadSettings,
    /// The recording could not be read while it was sent.
    #[error("The recording could not be read.")]
    RecordingLost,
    /// No request was sent, since no candidate is usable.
    #[error("The transcription provider cannot be asked at the moment. Please try again.")]
    Unavailable {
        /// The reason of all candidates, if they share one.
        hindrance: CandidateUnavailable,
        /// The time until the first candidate is usable.
        wait: Duration,
    },
    /// No connection could be made.
    #[error("The transcription provider cannot be reached.")]
    Unreachable,
    /// The answer did not arrive in time.
    #[error("The transcription provider did not answer in time.")]
    Timeout,
    /// The connection broke, or the response is not HTTP.
    #[error("The connection to the transcription provider broke before its answer was complete.")]
    Broken,
    /// The answer is larger than `upstream.max_answer_bytes`.
    #[error("The transcription provider's answer is larger than {allowed} bytes.")]
    TooLarge {
        /// The largest answer that the settings allow, in bytes.
        allowed: usize,
    },
    /// The answer is an HTML page, such as the log-in page of a proxy. No transcript is HTML.
    #[error("The transcription provider answered with a page of HTML instead of a transcript.")]
    Page,
    /// The answer has a content coding that the request did not accept.
    #[error("The transcription provider's answer is compressed, which it was asked not to be.")]
    Compressed,
    /// The answer has status 200 but is not a transcript.
    #[error("The transcription provider's answer is not a transcript.")]
    NoTranscript,
    /// The answer has status 200 but is an error.
    #[error("The transcription provider answered with an error instead of a transcript.")]
    ErrorAsAnswer {
        /// The provider's message, in one line: for the client, not for the log.
        message: Option<String>,
    },
    /// The answer is an error.
    #[error("The transcription provider refused the request with status {}.", .0.status)]
    Refused(Box<Refused>),
}

impl UpstreamError {
    /// Every [`UpstreamError::reason`].
    pub const REASONS: [&'static str; 9] = [
        "unreachable",
        "timeout",
        "broken",
        "bad_answer",
        "key_refused",
        "over_limit",
        "server_error",
        "rejected",
        "not_sent",
    ];

    /// Returns the error as one word, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLarge { .. } | Self::Page | Self::Compressed | Self::NoTranscript | Self::ErrorAsAnswer { .. } => {
                "bad_answer"
            }
            Self::Refused(refused) => match refused.status.as_u16() {
                401 | 403 | 407 if matches!(refused.body, RefusedBody::Credentials) => "key_refused",
                429 => "over_limit",
                500.. => "server_error",
                _ => "rejected",
            },
            Self::NoProvider | Self::BadSettings | Self::RecordingLost | Self::Unavailable { .. } => "not_sent",
        }
    }

    /// Returns the provider's refusal, if this is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Classifies an error of the HTTP client. Its cause is for the operator alone, and names neither address nor key.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        tracing::warn!(cause = causes.join(": "), "the provider failed");
        // A timeout while connecting is an error of both kinds.
        if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Broken
        }
    }
}
