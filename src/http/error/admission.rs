//! Errors for plans, limits and budgets.

use actix_web::http::header::HeaderName;

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::admission::Refusal;
use crate::http::headers::rate_limit;
use crate::identity::IdentityError;
use crate::limits::{Limit, LimitReached};
use crate::models::Unfit;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::from_refusal(&refusal, refusal.to_string())
    }
}

impl ApiError {
    /// Builds the error for a refusal, with a message that says what it means here.
    pub(super) fn from_refusal(refusal: &Refusal, message: String) -> Self {
        let (code, param) = match refusal {
            Refusal::UnknownPlan { .. } => return Self::new(ErrorCode::UnknownPlan, message),
            Refusal::ModelNotAllowed { .. } => (ErrorCode::ModelNotAllowed, "model"),
            Refusal::ModelNotFound { .. } => (ErrorCode::ModelNotFound, "model"),
            Refusal::Unfit(Unfit::Task { .. }) => (ErrorCode::UnsupportedValue, "model"),
            Refusal::Unfit(Unfit::Format { .. }) => (ErrorCode::UnsupportedValue, "response_format"),
            Refusal::Unfit(Unfit::Option { option, .. }) => (ErrorCode::UnsupportedValue, option.as_str()),
            Refusal::Unfit(Unfit::FileFormat { .. }) => (ErrorCode::UnsupportedValue, "file"),
            Refusal::Unfit(Unfit::TooLarge { .. }) => (ErrorCode::FileTooLarge, "file"),
            Refusal::Unfit(Unfit::TooShort { .. }) => (ErrorCode::AudioTooShort, "file"),
            Refusal::Unfit(Unfit::TooLong { .. })
            | Refusal::LongerThanBurst { .. }
            | Refusal::LongerThanPlan { .. }
            | Refusal::LongerThanAllowed { .. } => (ErrorCode::AudioTooLong, "file"),
            Refusal::Unpriced { .. } => (ErrorCode::ModelNotPriced, "model"),
            Refusal::Limit(reached) => return Self::from_limit(reached, message),
            Refusal::Revoked => return IdentityError::Revoked.into(),
            Refusal::StoreUnavailable => return Self::store_away(message),
        };
        Self::new(code, message).param(param)
    }

    /// Builds the error for a limit: rate limits carry `Retry-After`; an exhausted quota carries `x-should-retry: false`.
    fn from_limit(reached: &LimitReached, message: String) -> Self {
        let error = match reached.limit {
            Limit::Requests { wait, .. } | Limit::Audio { wait, .. } => {
                Self::new(ErrorCode::RateLimitExceeded, message).retry_after(wait)
            }
            Limit::Concurrency { .. } => Self::new(ErrorCode::ConcurrencyLimitExceeded, message),
            Limit::MonthlyUsd { .. } | Limit::MonthlyAudio { .. } | Limit::SessionCaps { .. } => Self::quota(message),
            Limit::OpenSessions { .. } => Self::new(ErrorCode::SessionLimitExceeded, message),
        };
        let rates = rate_limit::header_values(&reached.allowance);
        rates.iter().fold(error, |error, (name, value)| error.header(HeaderName::from_static(name), value))
    }
}

impl From<Box<LimitReached>> for ApiError {
    fn from(reached: Box<LimitReached>) -> Self {
        let message = reached.to_string();
        Self::from_limit(&reached, message)
    }
}
