//! The errors of the operator's routes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use super::answer;
use crate::http::error::{ApiError, ErrorKind};

/// An error of the operator's routes.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum OperatorError {
    /// An error that the API has too: an unknown path, a wrong parameter, a store that is away.
    #[error("{0}")]
    Api(ApiError),
    /// The request is for a name that is not this gateway's. A page of that name could read the answer.
    #[error(
        "This listener answers to addresses, localhost and the names in console.operator_hosts. The request is for another host."
    )]
    Host,
    /// The request comes from a page of another origin.
    #[error("A page of another origin sent this request.")]
    Origin,
}

impl From<ApiError> for OperatorError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl ResponseError for OperatorError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Api(error) => error.status_code(),
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (kind, code) = match self {
            // As any other unknown path has it: who has no token learns nothing of the gateway.
            Self::Api(error) => return error.error_response(),
            Self::Host => (ErrorKind::InvalidRequest, "misdirected_request"),
            Self::Origin => (ErrorKind::Permission, "origin_not_allowed"),
        };
        let error = json!({ "message": self.to_string(), "type": kind, "param": null, "code": code });
        crate::http::answer::json(answer::data(self.status_code()), &json!({ "error": error }))
    }
}
