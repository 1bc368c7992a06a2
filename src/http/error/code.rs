//! Every error code of the gateway, each with its usual status and OpenAI's `type`.

use std::fmt;

use actix_web::http::StatusCode;
use serde::{Serialize, Serializer};

/// OpenAI's `type` of an error. Its SDKs do not read it; they choose their exception by the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong.
    InvalidRequest,
    /// The token is missing or wrong.
    Authentication,
    /// The caller lacks the right.
    Permission,
    /// A limit is reached; a retry helps later.
    RateLimit,
    /// A budget is spent; a retry does not help.
    InsufficientQuota,
    /// The gateway, or what it depends on, failed.
    Server,
}

impl ErrorKind {
    /// Returns the word of the error's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Permission => "permission_error",
            Self::RateLimit => "rate_limit_error",
            Self::InsufficientQuota => "insufficient_quota",
            Self::Server => "server_error",
        }
    }

    /// Returns the kind of an error that is known by its status alone.
    pub(super) fn from_status(status: StatusCode) -> Self {
        match status.as_u16() {
            429 => Self::RateLimit,
            400..=499 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Declares the codes, one row each: the variant, the word, the status, the kind.
macro_rules! error_codes {
    ($($code:ident = $word:literal, $status:ident, $kind:ident;)+) => {
        /// A code of an error: its `code`, for programs. `openapi.yaml` and `docs/errors.md` explain each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $word, "`")] $code,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// Returns the word of the error's JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $word),+ }
            }

            /// Returns the usual status. A provider's error, and a head that is too large, may have others.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status),+ }
            }

            /// Returns the kind that goes with the usual status.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$code => ErrorKind::$kind),+ }
            }
        }
    };
}

error_codes! {
    MalformedRequest = "malformed_request", BAD_REQUEST, InvalidRequest;
    MissingRequiredParameter = "missing_required_parameter", BAD_REQUEST, InvalidRequest;
    InvalidValue = "invalid_value", BAD_REQUEST, InvalidRequest;
    UnsupportedValue = "unsupported_value", BAD_REQUEST, InvalidRequest;
    DuplicateParameter = "duplicate_parameter", BAD_REQUEST, InvalidRequest;
    TooManyFields = "too_many_fields", BAD_REQUEST, InvalidRequest;
    FieldTooLarge = "field_too_large", BAD_REQUEST, InvalidRequest;
    InvalidMultipart = "invalid_multipart", BAD_REQUEST, InvalidRequest;
    InvalidJson = "invalid_json", BAD_REQUEST, InvalidRequest;
    InvalidBase64 = "invalid_base64", BAD_REQUEST, InvalidRequest;
    IncompleteBody = "incomplete_body", BAD_REQUEST, InvalidRequest;
    InvalidAudio = "invalid_audio", BAD_REQUEST, InvalidRequest;
    AudioTooShort = "audio_too_short", BAD_REQUEST, InvalidRequest;
    AudioTooLong = "audio_too_long", BAD_REQUEST, InvalidRequest;
    InvalidToken = "invalid_token", UNAUTHORIZED, Authentication;
    TokenExpired = "token_expired", UNAUTHORIZED, Authentication;
    InsufficientScope = "insufficient_scope", FORBIDDEN, Permission;
    ModelNotAllowed = "model_not_allowed", FORBIDDEN, Permission;
    ModelNotPriced = "model_not_priced", FORBIDDEN, Permission;
    PlanNotAllowed = "plan_not_allowed", FORBIDDEN, Permission;
    UnknownPlan = "unknown_plan", FORBIDDEN, Permission;
    HttpsRequired = "https_required", FORBIDDEN, Permission;
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, Permission;
    NotFound = "not_found", NOT_FOUND, InvalidRequest;
    ModelNotFound = "model_not_found", NOT_FOUND, InvalidRequest;
    RequestNotFound = "request_not_found", NOT_FOUND, InvalidRequest;
    SessionNotFound = "session_not_found", NOT_FOUND, InvalidRequest;
    LiveSessionNotFound = "live_session_not_found", NOT_FOUND, InvalidRequest;
    LiveDisabled = "live_disabled", NOT_FOUND, InvalidRequest;
    LiveSessionEnded = "live_session_ended", CONFLICT, InvalidRequest;
    LiveSessionDeleted = "live_session_deleted", CONFLICT, InvalidRequest;
    LiveWrongSeq = "live_wrong_seq", CONFLICT, InvalidRequest;
    LiveLogFull = "live_log_full", CONFLICT, InvalidRequest;
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, InvalidRequest;
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, InvalidRequest;
    FileTooLarge = "file_too_large", PAYLOAD_TOO_LARGE, InvalidRequest;
    HeadTooLarge = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, InvalidRequest;
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, InvalidRequest;
    UnsupportedContentEncoding = "unsupported_content_encoding", UNSUPPORTED_MEDIA_TYPE, InvalidRequest;
    RateLimitExceeded = "rate_limit_exceeded", TOO_MANY_REQUESTS, RateLimit;
    ConcurrencyLimitExceeded = "concurrency_limit_exceeded", TOO_MANY_REQUESTS, RateLimit;
    SessionLimitExceeded = "session_limit_exceeded", TOO_MANY_REQUESTS, RateLimit;
    LiveTooFarAhead = "live_too_far_ahead", TOO_MANY_REQUESTS, RateLimit;
    LiveTooManyReaders = "live_too_many_readers", TOO_MANY_REQUESTS, RateLimit;
    InsufficientQuota = "insufficient_quota", TOO_MANY_REQUESTS, InsufficientQuota;
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, Server;
    SessionsUnavailable = "sessions_unavailable", NOT_IMPLEMENTED, Server;
    ProviderUnreachable = "provider_unreachable", BAD_GATEWAY, Server;
    ProviderError = "provider_error", BAD_GATEWAY, Server;
    ProviderAuthFailed = "provider_auth_failed", BAD_GATEWAY, Server;
    TranscriptIncomplete = "transcript_incomplete", BAD_GATEWAY, Server;
    ProviderStreamBroken = "provider_stream_broken", BAD_GATEWAY, Server;
    ProviderUnavailable = "provider_unavailable", SERVICE_UNAVAILABLE, Server;
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, Server;
    IssuerUnavailable = "issuer_unavailable", SERVICE_UNAVAILABLE, Server;
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, Server;
    ProviderTimeout = "provider_timeout", GATEWAY_TIMEOUT, Server;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
