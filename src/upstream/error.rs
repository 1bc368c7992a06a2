//! Why the provider did not answer.

use std::error::Error;
use std::time::Duration;

use super::{CandidateUnavailable, Refused, RefusedBody};

/// Why there is no answer to relay.
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
    /// Nobody was asked, since nobody can be.
    #[error("The transcription provider cannot be asked at the moment. Please try again.")]
    Unavailable {
        /// What hinders all of them.
        hindrance: CandidateUnavailable,
        /// How long until the first can be asked.
        wait: Duration,
    },
    /// No connection could be made.
    #[error("The transcription provider cannot be reached.")]
    Unreachable,
    /// It took too long.
    #[error("The transcription provider did not answer in time.")]
    Timeout,
    /// The connection broke, or what came is no HTTP.
    #[error("The connection to the transcription provider broke before its answer was complete.")]
    Broken,
    /// The answer is larger than `upstream.max_answer_bytes`.
    #[error("The transcription provider's answer is larger than {allowed} bytes.")]
    TooLarge {
        /// How large it may be.
        allowed: usize,
    },
    /// It answered with a page, as a proxy that wants a log-in does. No transcript is HTML.
    #[error("The transcription provider answered with a page of HTML instead of a transcript.")]
    Page,
    /// It answered in a coding that it was not asked for.
    #[error("The transcription provider's answer is compressed, which it was asked not to be.")]
    Compressed,
    /// It answered with success and without a transcript.
    #[error("The transcription provider's answer is not a transcript.")]
    NoTranscript,
    /// It answered with success and an error.
    #[error("The transcription provider answered with an error instead of a transcript.")]
    ErrorAsAnswer {
        /// The provider's sentence, in one line: for the client, not for the log.
        message: Option<String>,
    },
    /// It answered with an error.
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

    /// It in a word, for what is counted.
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

    /// The provider's refusal, where it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// What an error of the client means. Its cause is for the operator alone, and names neither address nor key.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        tracing::warn!(cause = causes.join(": "), "the provider failed");
        // A connection that is not made in time is an error of both kinds.
        if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Broken
        }
    }
}
