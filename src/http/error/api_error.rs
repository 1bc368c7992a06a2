//! The error of the HTTP layer.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use serde_json::value::RawValue;

use super::code::{ErrorCode, ErrorKind};
use crate::domain::text::printable;

/// An error of the HTTP layer: what the client sees, and what only the log sees.
#[derive(Debug)]
pub(in crate::http) struct ApiError {
    status: StatusCode,
    code: ErrorCode,
    body: Body,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The cause of an error that is not the client's to know.
    internal: Option<String>,
}

#[derive(Debug)]
enum Body {
    Own {
        message: String,
        kind: ErrorKind,
        param: Option<String>,
        /// The members that few errors have. Boxed, since errors are returned in many places.
        more: Option<Box<MoreMembers>>,
    },
    /// A provider's error, already in OpenAI's shape.
    Provider(String),
}

/// The members that few errors have.
#[derive(Debug, Default)]
struct MoreMembers {
    /// The part of the transcript that there is.
    partial: Option<PartialJson>,
    /// The number of the piece that a live session takes next.
    next_seq: Option<u64>,
}

/// `error.partial` as JSON. It is never shown in a log: it has a transcript.
struct PartialJson(Box<RawValue>);

impl fmt::Debug for PartialJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialJson").finish_non_exhaustive()
    }
}

/// The four members that OpenAI's SDKs read, and the part of a transcript that is not whole.
#[derive(Serialize)]
struct ErrorObject<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: ErrorKind,
    param: Option<&'a str>,
    code: ErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_seq: Option<u64>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorObject<'a>,
}

/// The `Retry-After` while the store is unreachable. The gateway checks for the store more often than that.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// The `Retry-After` while the gateway is at its capacity.
const OVERLOADED: Duration = Duration::from_secs(2);

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The longest part of a client's own text in a message, in characters.
const MAX_SHOWN_PATH: usize = 200;
const MAX_SHOWN_ID: usize = 80;

impl ApiError {
    /// Builds an error with the usual status and kind of its code.
    pub(in crate::http) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let body = Body::Own { message: message.into(), kind: code.kind(), param: None, more: None };
        Self { status: code.status(), code, body, headers: Vec::new(), internal: None }
    }

    /// Builds an error from a provider's JSON, which the client gets unchanged.
    pub(super) fn from_provider(status: StatusCode, json: String) -> Self {
        let (code, body) = (ErrorCode::ProviderError, Body::Provider(json));
        Self { status, code, body, headers: Vec::new(), internal: None }
    }

    /// Builds the error for a bug or a fault in the gateway.
    pub(in crate::http) fn internal() -> Self {
        Self::new(ErrorCode::InternalError, "The gateway failed to process the request.")
    }

    /// Builds the error for a fault in the gateway, whose cause only the log gets.
    pub(super) fn internal_because(cause: String) -> Self {
        Self { internal: Some(cause), ..Self::internal() }
    }

    /// Builds the error for an invalid parameter.
    pub(in crate::http) fn invalid_parameter(name: &str, what: &str) -> Self {
        Self::new(ErrorCode::InvalidValue, format!("Invalid value for '{name}': {what}.")).param(name)
    }

    /// Builds the error for a missing member of the body.
    pub(in crate::http) fn missing_parameter(name: &str) -> Self {
        Self::new(ErrorCode::MissingRequiredParameter, format!("'{name}' is required.")).param(name)
    }

    /// Builds the error for an unknown path.
    pub(in crate::http) fn not_found(method: &str, path: &str) -> Self {
        let path = printable(path, MAX_SHOWN_PATH);
        Self::new(ErrorCode::NotFound, format!("Unknown request URL: {method} {path}. See /docs for what there is."))
    }

    /// Builds the error for a known path with another method.
    pub(in crate::http) fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let message = format!("Method {method} is not allowed here. Use {allowed}.");
        Self::new(ErrorCode::MethodNotAllowed, message).header(header::ALLOW, allowed)
    }

    /// Builds the error for an unknown session.
    pub(in crate::http) fn no_session(id: &str) -> Self {
        let shown = printable(id, MAX_SHOWN_ID);
        Self::new(ErrorCode::SessionNotFound, format!("You have no session '{shown}' that has not ended."))
    }

    /// Builds the error for a request that is not among the caller's records.
    pub(in crate::http) fn no_request(id: &str) -> Self {
        let shown = printable(id, MAX_SHOWN_ID);
        Self::new(ErrorCode::RequestNotFound, format!("You have no request '{shown}' in the records of this gateway."))
    }

    /// Builds the error for sessions without a secret to sign them with.
    pub(in crate::http) fn no_sessions() -> Self {
        let message =
            "This gateway opens no sessions: it has no secret (VOXGATE_JWT_SECRET) to sign their tokens with.";
        Self::new(ErrorCode::SessionsUnavailable, message)
    }

    /// Builds the error for an exhausted quota, which a retry does not refill.
    pub(super) fn quota(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InsufficientQuota, message).never_retry()
    }

    /// Builds the error for an unreachable store.
    pub(in crate::http) fn store_away(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::StoreUnavailable, message).retry_after(STORE_AWAY)
    }

    /// Builds the error for a gateway at its capacity.
    pub(in crate::http) fn overloaded(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Overloaded, message).retry_after(OVERLOADED)
    }

    /// Tells SDKs not to try again by themselves.
    pub(super) fn never_retry(self) -> Self {
        self.header(SHOULD_RETRY, "false")
    }

    /// Says that pieces of the recording had been sent when it failed, which are charged. An SDK that tries again by
    /// itself would pay for them again.
    pub(in crate::http) fn after_pieces_were_sent(mut self) -> Self {
        if let Body::Own { message, .. } = &mut self.body {
            message.push_str(" Part of the recording had been sent to a provider by then, and is charged.");
        }
        self.headers.retain(|(name, _)| name != SHOULD_RETRY);
        self.never_retry()
    }

    /// Adds the part of the transcript that there is.
    pub(super) fn partial(mut self, json: Box<RawValue>) -> Self {
        if let Body::Own { more, .. } = &mut self.body {
            more.get_or_insert_default().partial = Some(PartialJson(json));
        }
        self
    }

    /// Adds the number of the piece that a live session takes next.
    pub(super) fn next_seq(mut self, number: u64) -> Self {
        if let Body::Own { more, .. } = &mut self.body {
            more.get_or_insert_default().next_seq = Some(number);
        }
        self
    }

    /// Names the parameter that is wrong.
    pub(in crate::http) fn param(mut self, name: &str) -> Self {
        if let Body::Own { param, .. } = &mut self.body {
            *param = Some(name.to_owned());
        }
        self
    }

    /// Sets another status than the code's, and the kind that goes with it.
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        if let Body::Own { kind, .. } = &mut self.body {
            *kind = ErrorKind::from_status(status);
        }
        self
    }

    /// Replaces one code by another. Status and kind stay.
    pub(super) fn replace_code(mut self, from: ErrorCode, to: ErrorCode) -> Self {
        if self.code == from {
            self.code = to;
        }
        self
    }

    pub(in crate::http) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(super) fn headers(mut self, headers: impl Iterator<Item = (HeaderName, HeaderValue)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Adds the time to wait, rounded up: in seconds for HTTP, in milliseconds for the SDKs.
    pub(super) fn retry_after(self, wait: Duration) -> Self {
        let ms = wait.as_micros().div_ceil(1000).max(1);
        self.header(header::RETRY_AFTER, &ms.div_ceil(1000).to_string()).header(RETRY_AFTER_MS, &ms.to_string())
    }

    /// Returns the code for the log.
    pub(in crate::http) fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// Writes the cause to the log, if it is not the client's to know.
    pub(in crate::http) fn log_internal(&self) {
        if let Some(error) = &self.internal {
            tracing::error!(error, "the gateway failed to process a request");
        }
    }

    /// Returns the body for the client: JSON with a line break at its end, or a provider's body unchanged.
    pub(in crate::http) fn body(&self) -> String {
        let json = self.json();
        if matches!(self.body, Body::Own { .. }) { json + "\n" } else { json }
    }

    /// Returns the JSON for the client.
    pub(in crate::http) fn json(&self) -> String {
        match &self.body {
            Body::Own { message, kind, param, more } => {
                let (param, more) = (param.as_deref(), more.as_deref());
                let partial = more.and_then(|more| more.partial.as_ref()).map(|partial| &*partial.0);
                let next_seq = more.and_then(|more| more.next_seq);
                let object = ErrorObject { message, kind: *kind, param, code: self.code, partial, next_seq };
                serde_json::to_string(&ErrorBody { error: object }).unwrap_or_default()
            }
            Body::Provider(json) => json.clone(),
        }
    }
}

/// Writes the code, the gateway's own message and the internal cause. A provider's message is left out: it may quote the
/// transcript.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Body::Own { message, .. } = &self.body
            && self.code != ErrorCode::ProviderError
        {
            write!(f, ": {message}")?;
        }
        self.internal.iter().try_for_each(|cause| write!(f, " ({cause})"))
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.content_type("application/json").body(self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_sees_the_cause_and_the_client_does_not() {
        let error = ApiError::internal_because("the spool failed: no space left on device".to_owned());
        assert!(error.to_string().contains("no space left"), "{error}");
        assert!(!error.body().contains("no space left"), "{}", error.body());
        assert!(error.body().contains("The gateway failed"), "{}", error.body());
    }

    #[test]
    fn an_error_is_shown_with_its_message() {
        let error = ApiError::invalid_parameter("limit", "it takes a number");
        assert_eq!(error.to_string(), "invalid_value: Invalid value for 'limit': it takes a number.");
    }
}
