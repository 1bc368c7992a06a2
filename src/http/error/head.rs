//! Errors for a request's head.

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT_ENCODING;

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::domain::text::printable;
use crate::http::malformed::{HeadProblem, MalformedHead};

/// The longest part of an unknown coding in a message, in characters.
const MAX_SHOWN_CODING: usize = 40;

impl From<MalformedHead> for ApiError {
    fn from(head: MalformedHead) -> Self {
        let with = |code| Self::new(code, head.message);
        match head.problem {
            HeadProblem::Slow => with(ErrorCode::RequestTimeout),
            HeadProblem::TargetTooLong => with(ErrorCode::HeadTooLarge).status(StatusCode::URI_TOO_LONG),
            HeadProblem::TooLarge => with(ErrorCode::HeadTooLarge),
            HeadProblem::Malformed => with(ErrorCode::MalformedRequest),
        }
    }
}

impl ApiError {
    /// Builds the error for a single-valued header that came twice, since two readers could take different values.
    pub(in crate::http) fn repeated_header(name: &str) -> Self {
        let message = format!("The header '{name}' came more than once. Send it once.");
        Self::new(ErrorCode::MalformedRequest, message)
    }

    /// Builds the error for a compressed body. RFC 9110 §12.5.3: the answer states the accepted codings.
    pub(in crate::http) fn content_encoding(coding: &str) -> Self {
        let shown = printable(coding, MAX_SHOWN_CODING);
        let message = format!(
            "The body has the Content-Encoding '{shown}'. Send it as it is, without one: recordings are compressed already."
        );
        Self::new(ErrorCode::UnsupportedContentEncoding, message).header(ACCEPT_ENCODING, "identity")
    }
}
