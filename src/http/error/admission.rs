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
        let code = match refusal {
            Refusal::UnknownPlan { .. } => ErrorCode::UnknownPlan,
            Refusal::ModelNotAllowed { .. } => ErrorCode::ModelNotAllowed,
            Refusal::ModelNotFound { .. } => ErrorCode::ModelNotFound,
            Refusal::Unfit(unfit) => Self::code_of_unfit(unfit),
            Refusal::LongerThanBurst { .. } | Refusal::LongerThanPlan { .. } | Refusal::LongerThanAllowed { .. } => {
                ErrorCode::AudioTooLong
            }
            Refusal::Unpriced { .. } => ErrorCode::ModelNotPriced,
            Refusal::Limit(reached) => return Self::from_limit(reached, message),
            Refusal::Revoked => return IdentityError::Revoked.into(),
            Refusal::StoreUnavailable => return Self::store_away(message),
        };
        let error = Self::new(code, message);
        match param_of(refusal) {
            Some(param) => error.param(param),
            None => error,
        }
    }

    fn code_of_unfit(unfit: &Unfit) -> ErrorCode {
        match unfit {
            Unfit::Task { .. } | Unfit::Format { .. } | Unfit::Option { .. } | Unfit::FileFormat { .. } => {
                ErrorCode::UnsupportedValue
            }
            Unfit::TooLarge { .. } => ErrorCode::FileTooLarge,
            Unfit::TooShort { .. } => ErrorCode::AudioTooShort,
            Unfit::TooLong { .. } => ErrorCode::AudioTooLong,
        }
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

/// Returns the parameter that a refusal is about.
fn param_of(refusal: &Refusal) -> Option<&str> {
    match refusal {
        Refusal::ModelNotAllowed { .. }
        | Refusal::ModelNotFound { .. }
        | Refusal::Unpriced { .. }
        | Refusal::Unfit(Unfit::Task { .. }) => Some("model"),
        Refusal::Unfit(Unfit::Format { .. }) => Some("response_format"),
        Refusal::Unfit(Unfit::Option { option, .. }) => Some(option.as_str()),
        Refusal::Unfit(
            Unfit::FileFormat { .. } | Unfit::TooLarge { .. } | Unfit::TooShort { .. } | Unfit::TooLong { .. },
        )
        | Refusal::LongerThanBurst { .. }
        | Refusal::LongerThanPlan { .. }
        | Refusal::LongerThanAllowed { .. } => Some("file"),
        Refusal::UnknownPlan { .. } | Refusal::Limit(_) | Refusal::Revoked | Refusal::StoreUnavailable => None,
    }
}

impl From<Box<LimitReached>> for ApiError {
    fn from(reached: Box<LimitReached>) -> Self {
        let message = reached.to_string();
        Self::from_limit(&reached, message)
    }
}
