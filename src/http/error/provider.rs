//! Errors for a provider's refusals and failures.

use std::time::Duration;

use actix_web::http::StatusCode;

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::http::answer_header;
use crate::split::TranscriptError;
use crate::upstream::{CandidateUnavailable, Refused, RefusedBody, UpstreamError};

impl ApiError {
    /// Returns an error as JSON for the middle of a stream, where no status can be sent any more.
    pub(in crate::http) fn describe_in_stream(error: &TranscriptError) -> String {
        let error = Self::from_transcript_error(error);
        error.log_internal();
        error.replace_code(ErrorCode::ProviderError, ErrorCode::ProviderStreamBroken).json()
    }

    pub(super) fn from_upstream(error: &UpstreamError) -> Self {
        let code = match error {
            UpstreamError::Refused(refused) => return Self::from_refused(refused),
            UpstreamError::BadSettings => return Self::internal_because(error.to_string()),
            UpstreamError::RecordingLost => {
                return Self::internal_because("the spool failed while a recording was sent".to_owned());
            }
            UpstreamError::Unavailable { reason, wait } => return Self::unavailable(*reason, *wait, error),
            UpstreamError::ErrorAsAnswer { message: Some(message) } => {
                return Self::new(ErrorCode::ProviderError, format!("{error} It says: {message}"));
            }
            UpstreamError::Unreachable => ErrorCode::ProviderUnreachable,
            UpstreamError::Timeout => ErrorCode::ProviderTimeout,
            UpstreamError::Broken
            | UpstreamError::TooLarge { .. }
            | UpstreamError::TooLargeTogether { .. }
            | UpstreamError::Page
            | UpstreamError::Compressed
            | UpstreamError::NoTranscript
            | UpstreamError::ErrorAsAnswer { message: None } => ErrorCode::ProviderError,
        };
        Self::new(code, error.to_string())
    }

    /// Builds the error for a request that no provider could take.
    fn unavailable(reason: CandidateUnavailable, wait: Duration, error: &UpstreamError) -> Self {
        let unavailable = Self::new(ErrorCode::ProviderUnavailable, error.to_string());
        let error = match reason {
            CandidateUnavailable::KeyRejected => Self::credentials(),
            CandidateUnavailable::KeyRateLimited | CandidateUnavailable::QuotaExhausted => {
                unavailable.status(StatusCode::TOO_MANY_REQUESTS)
            }
            CandidateUnavailable::ProviderFailing => unavailable,
        };
        error.retry_after(wait)
    }

    /// Builds the error for a provider that refuses the gateway's key. A 401 would send the client to log in again,
    /// although its own token is valid.
    fn credentials() -> Self {
        let message = "The transcription provider did not accept the gateway's credentials.";
        Self::new(ErrorCode::ProviderAuthFailed, message)
    }

    fn from_refused(refused: &Refused) -> Self {
        let status = StatusCode::from_u16(refused.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let error = match &refused.body {
            // The client must not follow a redirect, and a status that is no error does not fit OpenAI's errors.
            _ if !(400..=599).contains(&status.as_u16()) => Self::from_status(status, None),
            RefusedBody::OpenAi(json) => Self::from_provider(status, json.clone()),
            RefusedBody::Credentials => Self::credentials(),
            RefusedBody::Message(message) => Self::from_status(status, Some(message)),
            RefusedBody::Opaque => Self::from_status(status, None),
        };
        error.headers(refused.headers.iter().filter_map(|(name, value)| answer_header(name, value)))
    }

    /// Builds an error from a provider's status, such as for a proxy's HTML page, and its message if it has one.
    fn from_status(given: StatusCode, message: Option<&str>) -> Self {
        let (status, code) = match given.as_u16() {
            413 => (given, ErrorCode::FileTooLarge),
            503 => (given, ErrorCode::ProviderUnavailable),
            504 => (given, ErrorCode::ProviderTimeout),
            400..=599 => (given, ErrorCode::ProviderError),
            _ => (StatusCode::BAD_GATEWAY, ErrorCode::ProviderError),
        };
        let message = message.map_or_else(
            || format!("The transcription provider answered with status {}.", given.as_u16()),
            ToOwned::to_owned,
        );
        Self::new(code, message).status(status)
    }
}

impl From<TranscriptError> for ApiError {
    fn from(error: TranscriptError) -> Self {
        Self::from_transcript_error(&error)
    }
}
