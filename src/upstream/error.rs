//! The reasons why a provider gives no answer.

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::keyring::CandidateUnavailable;

/// The reason why there is no answer to relay.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The model's provider is not configured, or a setting of it cannot stand in a header or in an address. The check of
    /// the settings should have refused them.
    #[error("The provider's settings cannot be used.")]
    BadSettings,
    /// The recording could not be read while it was sent.
    #[error("The recording could not be read.")]
    RecordingLost,
    /// No request was sent, since no candidate is usable.
    #[error("The transcription provider cannot be asked at the moment. Please try again.")]
    Unavailable {
        /// The reason of all candidates, if they share one.
        reason: CandidateUnavailable,
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
    /// The answers for the pieces of one recording are larger than `upstream.max_answer_bytes` together.
    #[error("The transcription provider's answers for the pieces of the recording are larger than {allowed} bytes.")]
    TooLargeTogether {
        /// The largest size of all answers that the settings allow, in bytes.
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
            Self::TooLarge { .. }
            | Self::TooLargeTogether { .. }
            | Self::Page
            | Self::Compressed
            | Self::NoTranscript
            | Self::ErrorAsAnswer { .. } => "bad_answer",
            Self::Refused(refused) => match refused.status.as_u16() {
                401 | 403 | 407 if matches!(refused.body, RefusedBody::Credentials) => "key_refused",
                429 => "over_limit",
                500.. => "server_error",
                _ => "rejected",
            },
            Self::BadSettings | Self::RecordingLost | Self::Unavailable { .. } => "not_sent",
        }
    }

    /// Returns the provider's refusal, if this is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Returns true if the provider refused the recording because of its size or length.
    pub fn is_too_long(&self) -> bool {
        let Self::Refused(refused) = self else { return false };
        let says_so = || match &refused.body {
            RefusedBody::OpenAi(text) | RefusedBody::Message(text) => text.contains("longer than"),
            RefusedBody::Opaque | RefusedBody::Credentials => false,
        };
        refused.status == StatusCode::PAYLOAD_TOO_LARGE || refused.status == StatusCode::BAD_REQUEST && says_so()
    }

    /// Classifies an error of the HTTP client and logs its causes.
    pub(super) fn from_client(error: &reqwest::Error) -> Self {
        Self::classify(error).logged(&causes(error))
    }

    /// Classifies an error of the HTTP client.
    pub(super) fn classify(error: &reqwest::Error) -> Self {
        // A timeout while connecting is an error of both kinds.
        if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Broken
        }
    }

    /// Logs the `cause` of the error, which is for the operator alone.
    pub(super) fn logged(self, cause: &str) -> Self {
        tracing::warn!(cause, "the provider failed");
        self
    }
}

/// Returns the causes of an error of the HTTP client, which name neither address nor key.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A provider's error.
#[derive(Debug)]
pub struct Refused {
    /// The name of the provider.
    pub provider: String,
    /// The provider's request id, for the log.
    pub request_id: Option<String>,
    /// The provider's status.
    pub status: StatusCode,
    /// The headers that may be passed on.
    pub headers: HeaderMap,
    /// The time that the provider asks the gateway to wait.
    pub retry_after: Option<Duration>,
    /// The `type` of the error, for the log.
    pub kind: Option<String>,
    /// The `code` of the error, for the log.
    pub code: Option<String>,
    /// The content of the error.
    pub body: RefusedBody,
}

/// The content of a provider's error.
#[derive(Debug)]
pub enum RefusedBody {
    /// A JSON error in OpenAI's shape, to be passed on unchanged except for added members that it lacked.
    OpenAi(String),
    /// A message from a body of another shape: one line of at most 1000 characters.
    Message(String),
    /// Nothing useful for a client: an HTML page, or an empty body.
    Opaque,
    /// The provider does not accept the gateway's key. Its message about that is for the operator only.
    Credentials,
}
