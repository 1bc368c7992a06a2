//! Errors of makers of sessions.

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::sessions::{CreateSessionError, DelegationError, OpenSessionError};
use crate::store::StoreError;

impl From<CreateSessionError> for ApiError {
    fn from(error: CreateSessionError) -> Self {
        let message = error.to_string();
        match error {
            CreateSessionError::NotAnObject(_) => Self::new(ErrorCode::InvalidJson, message),
            CreateSessionError::Parameter { name, .. } => Self::new(ErrorCode::InvalidValue, message).param(&name),
            CreateSessionError::NoSubject => Self::missing_parameter("subject"),
        }
    }
}

impl From<DelegationError> for ApiError {
    fn from(error: DelegationError) -> Self {
        let message = error.to_string();
        match error {
            DelegationError::Scope => Self::invalid_parameter("scope", &message),
            DelegationError::UnknownPlan => Self::invalid_parameter("plan", &message),
            DelegationError::MakerHasCaps | DelegationError::BeyondScope { .. } => {
                Self::new(ErrorCode::InsufficientScope, message)
            }
            DelegationError::BeyondPlan { .. } => Self::new(ErrorCode::PlanNotAllowed, message),
        }
    }
}

impl From<OpenSessionError> for ApiError {
    fn from(error: OpenSessionError) -> Self {
        match error {
            OpenSessionError::Limit(reached) => reached.into(),
            OpenSessionError::Store(failure) => Self::no_session_store(&failure),
        }
    }
}

impl ApiError {
    /// Builds the error for sessions that the store cannot read or write.
    pub(in crate::http) fn no_session_store(failure: &StoreError) -> Self {
        tracing::debug!(%failure, "sessions could not be read or written");
        Self::store_away("The gateway cannot keep sessions at the moment. Please try again.")
    }
}
