//! Errors for plans, limits and budgets.

use actix_web::http::header::HeaderName;

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::admission::{Limited, Refusal};
use crate::http::headers::rate_limit;
use crate::identity::IdentityError;
use crate::limits::Denial;
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
            Refusal::Unfit(Unfit::TooShort { .. }) => with(ErrorCode::AudioTooShort).param("file"),
            Refusal::Unfit(Unfit::TooLong { .. }) | Refusal::LongerThanBurst { .. } => {
                with(ErrorCode::AudioTooLong).param("file")
            }
            Refusal::Unpriced { .. } => with(ErrorCode::ModelNotPriced).param("model"),
            Refusal::Limited(limited) => Self::from_limit(&limited, message),
            Refusal::Revoked => IdentityError::Revoked.into(),
            Refusal::SessionSpent { .. } => Self::quota(message),
            Refusal::TooManySessions { .. } => with(ErrorCode::SessionLimitExceeded),
            Refusal::StoreAway => Self::store_away(message),
        }
    }
}

impl ApiError {
    /// Builds the error for a limit. Rate limits carry `Retry-After`; an exhausted quota carries
    /// `x-should-retry: false`.
    fn from_limit(limited: &Limited, message: String) -> Self {
        let mut error = match limited.denial {
            Denial::Requests { .. } | Denial::Audio { .. } => Self::new(ErrorCode::RateLimitExceeded, message),
            // A revoked token is not a limit, and was refused before this.
            Denial::Concurrency | Denial::Revoked => Self::new(ErrorCode::ConcurrencyLimitExceeded, message),
            Denial::MonthlyUsd | Denial::MonthlyAudio | Denial::Session => Self::quota(message),
        };
        if let Some(wait) = limited.wait() {
            error = error.retry_after(wait);
        }
        let rates = rate_limit::header_values(&limited.allowance);
        rates.iter().fold(error, |error, (name, value)| error.header(HeaderName::from_static(name), value))
    }
}
