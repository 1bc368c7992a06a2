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
        let message = refusal.to_string();
        let with = |code| Self::new(code, message.clone());
        match refusal {
            Refusal::UnknownPlan { .. } => with(ErrorCode::UnknownPlan),
            Refusal::ModelNotAllowed { .. } => with(ErrorCode::ModelNotAllowed).param("model"),
            Refusal::ModelNotFound { .. } => with(ErrorCode::ModelNotFound).param("model"),
            Refusal::Unfit(Unfit::Task { .. }) => with(ErrorCode::UnsupportedValue).param("model"),
            Refusal::Unfit(Unfit::Format { .. }) => with(ErrorCode::UnsupportedValue).param("response_format"),
            Refusal::Unfit(Unfit::Option { option, .. }) => with(ErrorCode::UnsupportedValue).param(option.as_str()),
            Refusal::Unfit(Unfit::FileFormat { .. }) => with(ErrorCode::UnsupportedValue).param("file"),
            Refusal::Unfit(Unfit::TooLarge { .. }) => with(ErrorCode::FileTooLarge).param("file"),
            Refusal::Unfit(Unfit::TooShort { .. }) => with(ErrorCode::AudioTooShort).param("file"),
            Refusal::Unfit(Unfit::TooLong { .. })
            | Refusal::LongerThanBurst { .. }
            | Refusal::LongerThanPlan { .. }
            | Refusal::LongerThanAllowed { .. } => with(ErrorCode::AudioTooLong).param("file"),
            Refusal::Unpriced { .. } => with(ErrorCode::ModelNotPriced).param("model"),
            Refusal::Limit(reached) => reached.into(),
            Refusal::Revoked => IdentityError::Revoked.into(),
            Refusal::StoreUnavailable => Self::store_away(message),
        }
    }
}

/// Rate limits carry `Retry-After`; an exhausted quota carries `x-should-retry: false`.
impl From<Box<LimitReached>> for ApiError {
    fn from(reached: Box<LimitReached>) -> Self {
        let message = reached.to_string();
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
