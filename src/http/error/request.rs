//! The errors of a request's head.

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT_ENCODING;

use super::{ApiError, INVALID};
use crate::http::malformed::{HeadProblem, MalformedHead};

impl From<MalformedHead> for ApiError {
    fn from(head: MalformedHead) -> Self {
        let (status, code) = match head.problem {
            HeadProblem::Slow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            HeadProblem::TargetTooLong => (StatusCode::URI_TOO_LONG, "head_too_large"),
            HeadProblem::TooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"),
            HeadProblem::Malformed => (StatusCode::BAD_REQUEST, "malformed_request"),
        };
        Self::new(status, INVALID, code, head.message)
    }
}

impl ApiError {
    /// Builds the error for a single-valued header that came twice, since two readers could take different values.
    pub(in crate::http) fn repeated_header(name: &str) -> Self {
        let message = format!("The header '{name}' came more than once. Send it once.");
        Self::new(StatusCode::BAD_REQUEST, INVALID, "malformed_request", message)
    }

    /// Builds the error for a compressed body. RFC 9110 §12.5.3: the answer states the accepted codings.
    pub(in crate::http) fn content_encoding(coding: &str) -> Self {
        let shown: String = coding.chars().filter(char::is_ascii_graphic).take(40).collect();
        let message = format!(
            "The body has the Content-Encoding '{shown}'. Send it as it is, without one: recordings are compressed already."
        );
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, INVALID, "unsupported_content_encoding", message).header(ACCEPT_ENCODING, "identity")
    }
}
