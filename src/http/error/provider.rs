//! Errors for a provider's refusals and failures.

use std::time::Duration;

use actix_web::http::StatusCode;

use super::{ApiError, Body, INVALID, SERVER};
use crate::http::answer_header;
use crate::upstream::{CandidateUnavailable, Refused, RefusedBody, UpstreamError};

impl ApiError {
    /// Returns an error as JSON for the middle of a stream, where no status can be sent any more.
    pub(in crate::http) fn describe_in_stream(error: &UpstreamError) -> String {
        let mut error = Self::from_upstream(error);
        if let Body::Ours(object) = &mut error.body
            && object.code == "provider_error"
        {
            object.code = "provider_stream_broken";
        }
        error.json()
    }

    fn from_upstream(error: &UpstreamError) -> Self {
        let (status, code) = match error {
            UpstreamError::Refused(refused) => return Self::from_refused(refused),
            UpstreamError::BadSettings => return Self::internal(),
            UpstreamError::RecordingLost => {
                tracing::error!("the spool failed while a recording was sent");
                return Self::internal();
            }
            UpstreamError::Unavailable { reason, wait } => return Self::unavailable(*reason, *wait, error),
            UpstreamError::Unreachable => (StatusCode::BAD_GATEWAY, "provider_unreachable"),
            UpstreamError::Timeout => (StatusCode::GATEWAY_TIMEOUT, "provider_timeout"),
            UpstreamError::Broken
            | UpstreamError::TooLarge { .. }
            | UpstreamError::Page
            | UpstreamError::Compressed
            | UpstreamError::NoTranscript
            | UpstreamError::ErrorAsAnswer { message: None } => (StatusCode::BAD_GATEWAY, "provider_error"),
            UpstreamError::ErrorAsAnswer { message: Some(message) } => {
                return Self::new(
                    StatusCode::BAD_GATEWAY,
                    SERVER,
                    "provider_error",
                    format!("{error} It says: {message}"),
                );
            }
        };
        Self::new(status, SERVER, code, error.to_string())
    }

    /// Builds the error for a request that no provider could take.
    fn unavailable(reason: CandidateUnavailable, wait: Duration, error: &UpstreamError) -> Self {
        let (status, kind) = match reason {
            CandidateUnavailable::KeyRejected => return Self::credentials().retry_after(wait),
            CandidateUnavailable::KeyRateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error"),
            CandidateUnavailable::ProviderFailing => (StatusCode::SERVICE_UNAVAILABLE, SERVER),
        };
        Self::new(status, kind, "provider_unavailable", error.to_string()).retry_after(wait)
    }

    /// Builds the error for a provider that refuses the gateway's key. A 401 would send the client to log in again,
    /// although its own token is valid.
    fn credentials() -> Self {
        let message = "The transcription provider did not accept the gateway's credentials.";
        Self::new(StatusCode::BAD_GATEWAY, SERVER, "provider_auth_failed", message)
    }

    fn from_refused(refused: &Refused) -> Self {
        let status = StatusCode::from_u16(refused.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut error = match &refused.body {
            // The client must not follow a redirect, and a status that is no error does not fit OpenAI's errors.
            _ if !(400..=599).contains(&status.as_u16()) => Self::of_status(status, None),
            RefusedBody::OpenAi(json) => Self { status, body: Body::Provider(json.clone()), headers: Vec::new() },
            RefusedBody::Credentials => Self::credentials(),
            RefusedBody::Message(message) => Self::of_status(status, Some(message)),
            RefusedBody::Opaque => Self::of_status(status, None),
        };
        let pairs = refused.headers.iter().filter_map(|(name, value)| answer_header(name, value));
        error.headers.extend(pairs);
        error
    }

    /// Builds an error from a provider's status alone, such as for a proxy's HTML page.
    fn of_status(given: StatusCode, said: Option<&str>) -> Self {
        let (status, kind, code) = match given.as_u16() {
            413 => (given, INVALID, "file_too_large"),
            429 => (given, "rate_limit_error", "provider_error"),
            503 => (given, SERVER, "provider_unavailable"),
            504 => (given, SERVER, "provider_timeout"),
            400..=499 => (given, INVALID, "provider_error"),
            500..=599 => (given, SERVER, "provider_error"),
            _ => (StatusCode::BAD_GATEWAY, SERVER, "provider_error"),
        };
        let message = said.map_or_else(
            || format!("The transcription provider answered with status {}.", given.as_u16()),
            ToOwned::to_owned,
        );
        Self::new(status, kind, code, message)
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        Self::from_upstream(&error)
    }
}
