//! Conversion of every module's refusals to JSON errors in OpenAI's shape. Every status and code is chosen here.

mod provider;
mod request;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use super::headers::rate_limit;
use crate::admission::{Limited, Refusal};
use crate::identity::{Code, IdentityError};
use crate::intake::json::JsonError;
use crate::intake::media::MediaError;
use crate::intake::{IntakeError, OptionError};
use crate::limits::Denial;
use crate::models::Unfit;

/// An error as the client sees it.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Body,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum Body {
    Ours(ErrorObject),
    /// A provider's error, already in OpenAI's shape.
    Provider(String),
}

/// The four members that OpenAI's SDKs read.
#[derive(Debug, Serialize)]
struct ErrorObject {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<String>,
    code: &'static str,
}

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// The `Retry-After` while the store is unreachable. The gateway checks for the store more often than that.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// The `Retry-After` while the gateway is at its capacity.
const OVERLOADED: Duration = Duration::from_secs(2);

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        let object = ErrorObject { message: message.into(), kind, param: None, code };
        Self { status, body: Body::Ours(object), headers: Vec::new() }
    }

    fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, code, message)
    }

    fn param(mut self, name: &str) -> Self {
        if let Body::Ours(object) = &mut self.body {
            object.param = Some(name.to_owned());
        }
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Builds the error for an invalid parameter.
    pub(super) fn invalid_parameter(name: &str, what: &str) -> Self {
        Self::invalid("invalid_value", format!("Invalid value for '{name}': {what}.")).param(name)
    }

    /// Builds the error for an unknown path.
    pub(super) fn not_found(method: &str, path: &str) -> Self {
        let path: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
        let message = format!("Unknown request URL: {method} {path}. See /docs for what there is.");
        Self::new(StatusCode::NOT_FOUND, INVALID, "not_found", message)
    }

    /// Builds the error for a known path with another method.
    pub(super) fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let message = format!("Method {method} is not allowed here. Use {allowed}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, INVALID, "method_not_allowed", message).header(header::ALLOW, allowed)
    }

    /// Builds the error for a bug in the gateway.
    pub(super) fn internal() -> Self {
        let message = "The gateway failed to process the request.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, SERVER, "internal_error", message)
    }

    /// Returns the code for the log.
    pub(super) fn code(&self) -> &'static str {
        match &self.body {
            Body::Ours(object) => object.code,
            Body::Provider(_) => "provider_error",
        }
    }

    /// Returns the body for the client: JSON with a line break at its end, or a provider's body unchanged.
    pub(super) fn body(&self) -> String {
        let json = self.json();
        if matches!(self.body, Body::Ours(_)) { json + "\n" } else { json }
    }

    /// Returns the JSON for the client.
    pub(super) fn json(&self) -> String {
        match &self.body {
            Body::Ours(object) => serde_json::json!({ "error": object }).to_string(),
            Body::Provider(json) => json.clone(),
        }
    }

    fn of_json(error: &JsonError, message: String) -> Self {
        use JsonError as E;
        match error {
            E::Empty | E::NotAnObject { .. } | E::CutShort | E::AudioCutShort { .. } | E::Malformed(_) => {
                Self::invalid("invalid_json", message)
            }
            E::TooLarge { .. } => Self::invalid("field_too_large", message),
            E::Repeated { name } => Self::invalid("duplicate_parameter", message).param(name),
            E::AudioMissing { .. } => Self::invalid("missing_required_parameter", message).param("audio"),
            E::AudioRepeated { second, .. } => Self::invalid("duplicate_parameter", message).param(second.name()),
            E::AudioNotString { field, .. } => Self::invalid("invalid_value", message).param(field.name()),
            E::InputAudioNotObject { .. } => Self::invalid("invalid_value", message).param("input_audio"),
            E::ControlCharacter { field, .. }
            | E::UnknownEscape { field }
            | E::DataUrl { field, .. }
            | E::NotBase64 { field, .. } => Self::invalid("invalid_base64", message).param(field.name()),
        }
    }

    /// Builds the error for a limit. Rate limits carry `Retry-After`; an exhausted quota carries
    /// `x-should-retry: false`.
    fn of_limit(limited: &Limited, message: String) -> Self {
        let (kind, code) = match limited.denial {
            Denial::Requests { .. } | Denial::Audio { .. } => ("rate_limit_error", "rate_limit_exceeded"),
            // A revoked token is not a limit, and was refused before this.
            Denial::Concurrency | Denial::Revoked => ("rate_limit_error", "concurrency_limit_exceeded"),
            Denial::MonthlyUsd | Denial::MonthlyAudio | Denial::Session => ("insufficient_quota", "insufficient_quota"),
        };
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, kind, code, message);
        if let Some(wait) = limited.wait() {
            error = error.retry_after(wait);
        }
        if kind == code {
            error = error.header(HeaderName::from_static("x-should-retry"), "false");
        }
        let rates = rate_limit::header_values(&limited.allowance);
        rates.iter().fold(error, |error, (name, value)| error.header(HeaderName::from_static(name), value))
    }

    /// Builds the error for a caller that lacks the right.
    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permission_error", code, message)
    }

    /// Builds the error for an unknown session.
    pub(super) fn no_session(id: &str) -> Self {
        let shown: String = id.chars().filter(|c| !c.is_control()).take(80).collect();
        let message = format!("You have no session '{shown}' that has not ended.");
        Self::new(StatusCode::NOT_FOUND, INVALID, "session_not_found", message)
    }

    /// Builds the error for sessions without a secret to sign them with.
    pub(super) fn no_sessions() -> Self {
        let message =
            "This gateway opens no sessions: it has no secret (VOXGATE_JWT_SECRET) to sign their tokens with.";
        Self::new(StatusCode::NOT_IMPLEMENTED, SERVER, "sessions_unavailable", message)
    }

    /// Builds the error for a body that is not the expected JSON.
    pub(super) fn invalid_json(message: impl Into<String>) -> Self {
        Self::invalid("invalid_json", message)
    }

    /// Builds the error for a missing member of the body.
    pub(super) fn missing_parameter(name: &str) -> Self {
        Self::invalid("missing_required_parameter", format!("'{name}' is required.")).param(name)
    }

    /// Builds the error for an unreachable store.
    pub(super) fn store_away(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, "store_unavailable", message).retry_after(STORE_AWAY)
    }

    /// Builds the error for a gateway at its capacity.
    pub(super) fn overloaded(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, "overloaded", message).retry_after(OVERLOADED)
    }

    /// Adds the time to wait, rounded up: in seconds for HTTP, in milliseconds for the SDKs.
    fn retry_after(self, wait: Duration) -> Self {
        let ms = wait.as_micros().div_ceil(1000).max(1);
        self.header(header::RETRY_AFTER, &ms.div_ceil(1000).to_string())
            .header(HeaderName::from_static("retry-after-ms"), &ms.to_string())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
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

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        let code = error.code();
        let (status, kind) = match code {
            Code::InvalidToken | Code::TokenExpired => (StatusCode::UNAUTHORIZED, "authentication_error"),
            Code::InsufficientScope => (StatusCode::FORBIDDEN, "permission_error"),
            Code::IssuerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, SERVER),
        };
        let answer = Self::new(status, kind, code.as_str(), error.to_string());
        // RFC 6750 §3: the challenge to a request without a token names no error; its three errors are not ours to extend.
        let challenge = match (&error, code) {
            (IdentityError::KeysUnavailable { wait }, _) => return answer.retry_after(*wait),
            (IdentityError::Missing, _) => "Bearer",
            (_, Code::InsufficientScope) => "Bearer error=\"insufficient_scope\"",
            _ => "Bearer error=\"invalid_token\"",
        };
        answer.header(header::WWW_AUTHENTICATE, challenge)
    }
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        use IntakeError as E;
        let message = error.to_string();
        match error {
            E::NoContentType | E::ContentType { .. } => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID, "unsupported_media_type", message)
            }
            E::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID, "file_too_large", message).param("file")
            }
            E::TooSlow | E::BelowMinRate { .. } => {
                Self::new(StatusCode::REQUEST_TIMEOUT, INVALID, "request_timeout", message)
            }
            E::CutShort | E::FormCutShort => Self::invalid("incomplete_body", message),
            E::Multipart(_) => Self::invalid("invalid_multipart", message),
            E::FieldName => Self::invalid("invalid_value", message),
            E::TooManyFields { .. } => Self::invalid("too_many_fields", message),
            E::FieldTooLarge { name, .. } => Self::invalid("field_too_large", message).param(&name),
            E::NotText { name, .. } | E::Charset { name, .. } => Self::invalid("invalid_value", message).param(&name),
            E::NoFile | E::MisplacedFile { .. } => Self::invalid("missing_required_parameter", message).param("file"),
            E::Reserved { name } => Self::invalid("duplicate_parameter", message).param(&name),
            E::SecondFile => Self::invalid("duplicate_parameter", message).param("file"),
            E::NoRoom(_) | E::NoTurn(_) => Self::overloaded(message),
            E::Media(MediaError::Read(error)) | E::Spool(error) => {
                tracing::error!(%error, "the spool failed");
                Self::internal()
            }
            E::Media(_) => Self::invalid("invalid_audio", message).param("file"),
            E::Json(error) => Self::of_json(&error, message),
            E::Option(error) => {
                let code = match &error {
                    OptionError::Repeated { .. } => "duplicate_parameter",
                    _ => "invalid_value",
                };
                Self::invalid(code, message).param(error.name())
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        let forbidden = |code| Self::new(StatusCode::FORBIDDEN, "permission_error", code, message.clone());
        match refusal {
            Refusal::UnknownPlan { .. } => forbidden("unknown_plan"),
            Refusal::ModelNotAllowed { .. } => forbidden("model_not_allowed").param("model"),
            Refusal::ModelNotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, INVALID, "model_not_found", message).param("model")
            }
            Refusal::Unfit(Unfit::Task { .. }) => Self::invalid("unsupported_value", message).param("model"),
            Refusal::Unfit(Unfit::Format { .. }) => {
                Self::invalid("unsupported_value", message).param("response_format")
            }
            Refusal::Unfit(Unfit::Option { option, .. }) => Self::invalid("unsupported_value", message).param(option),
            Refusal::Unfit(Unfit::TooShort { .. }) => Self::invalid("audio_too_short", message).param("file"),
            Refusal::Unfit(Unfit::TooLong { .. }) | Refusal::LongerThanBurst { .. } => {
                Self::invalid("audio_too_long", message).param("file")
            }
            Refusal::Unpriced { .. } => forbidden("model_not_priced").param("model"),
            Refusal::Limited(limited) => Self::of_limit(&limited, message),
            Refusal::Revoked => IdentityError::Revoked.into(),
            Refusal::SessionSpent { .. } => {
                let quota = "insufficient_quota";
                let error = Self::new(StatusCode::TOO_MANY_REQUESTS, quota, quota, message);
                error.header(HeaderName::from_static("x-should-retry"), "false")
            }
            Refusal::TooManySessions { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "session_limit_exceeded", message)
            }
            Refusal::StoreAway => Self::store_away(message),
        }
    }
}
