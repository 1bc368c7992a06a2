//! Errors for refused tokens.

use actix_web::http::header::WWW_AUTHENTICATE;

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::identity::IdentityError;

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        use IdentityError as E;
        let code = match &error {
            E::KeysUnavailable { wait } => {
                return Self::new(ErrorCode::IssuerUnavailable, error.to_string()).retry_after(*wait);
            }
            E::Expired { .. } => ErrorCode::TokenExpired,
            E::InsufficientScope { .. } => ErrorCode::InsufficientScope,
            _ => ErrorCode::InvalidToken,
        };
        // RFC 6750 §3: the challenge to a request without a token names no error. §3.1 has three errors and no more.
        let challenge = match &error {
            E::Missing => "Bearer",
            E::InsufficientScope { .. } => "Bearer error=\"insufficient_scope\"",
            _ => "Bearer error=\"invalid_token\"",
        };
        Self::new(code, error.to_string()).header(WWW_AUTHENTICATE, challenge)
    }
}
