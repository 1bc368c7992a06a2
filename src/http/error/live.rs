//! Errors of live sessions.

use std::time::Duration;

use serde_json::{Value, json};

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::domain::text::printable;
use crate::live::{LiveFailure, PieceRefused, ReadEventsError};
use crate::speech::LiveSoundError;

/// The wait before a piece that came too early is sent again.
const TOO_FAR_AHEAD: Duration = Duration::from_secs(1);
/// The wait before another reader is tried.
const TOO_MANY_READERS: Duration = Duration::from_secs(1);
const MAX_SHOWN_ID: usize = 80;

impl ApiError {
    /// Builds the error for a session that the caller does not have.
    pub(in crate::http) fn no_live_session(id: &str) -> Self {
        let shown = printable(id, MAX_SHOWN_ID);
        let message = format!("You have no live session '{shown}', or it has been over for too long.");
        Self::new(ErrorCode::LiveSessionNotFound, message)
    }

    /// Builds the error for a gateway without live sessions.
    pub(in crate::http) fn live_disabled() -> Self {
        Self::new(ErrorCode::LiveDisabled, "This gateway has no live sessions (live.enabled).")
    }

    /// Builds the error for a model that serves no live sessions.
    pub(in crate::http) fn model_not_live(model: &str) -> Self {
        let message = format!("The model '{model}' does not serve live sessions. GET /v1/models says which do.");
        Self::new(ErrorCode::UnsupportedValue, message).param("model")
    }

    /// Builds the error for a failure of a session or a turn.
    pub(in crate::http) fn from_live_failure(failure: &LiveFailure) -> Self {
        let message = failure.to_string();
        match failure {
            LiveFailure::Turn(error) => Self::from_upstream(error),
            LiveFailure::NotAdmitted { refusal, .. } => Self::from_refusal(refusal, message),
            LiveFailure::TooFarAhead { .. } => Self::new(ErrorCode::LiveTooFarAhead, message),
            LiveFailure::Sound(error) => Self::from_live_sound(error, message),
            LiveFailure::Deleted => Self::new(ErrorCode::LiveSessionDeleted, message),
            LiveFailure::Events(crate::live::EventLogError::Full) => Self::new(ErrorCode::LiveLogFull, message),
            LiveFailure::Events(error) => Self::internal_because(format!("{error} {}", cause(error))),
            LiveFailure::Stopped => Self::new(ErrorCode::LiveSessionEnded, message),
        }
    }

    fn from_live_sound(error: &LiveSoundError, message: String) -> Self {
        match error {
            LiveSoundError::NotAudio { .. } | LiveSoundError::Unusable { .. } => {
                Self::new(ErrorCode::InvalidAudio, message).param("audio")
            }
            LiveSoundError::Busy(_) | LiveSoundError::NoRoom(_) => {
                Self::overloaded("The gateway is transcribing as much as it can. Please try again.")
            }
            LiveSoundError::Io(_) | LiveSoundError::Encoder(_) | LiveSoundError::BrokeOff => {
                Self::internal_because(format!("{error} {}", cause(error)))
            }
        }
    }
}

/// Returns the error below this one, for the log.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

impl From<PieceRefused> for ApiError {
    fn from(refused: PieceRefused) -> Self {
        let message = refused.to_string();
        match &refused {
            PieceRefused::Ended => Self::new(ErrorCode::LiveSessionEnded, message),
            PieceRefused::WrongSeq { next_seq, .. } => {
                Self::new(ErrorCode::LiveWrongSeq, message).param("seq").next_seq(*next_seq)
            }
            PieceRefused::Empty => Self::new(ErrorCode::InvalidAudio, message).param("audio"),
            PieceRefused::Sound(error) => Self::from_live_sound(error, message),
            PieceRefused::NotAdmitted(refusal) => Self::from_refusal(refusal, message),
            PieceRefused::TooFarAhead { .. } => {
                Self::new(ErrorCode::LiveTooFarAhead, message).retry_after(TOO_FAR_AHEAD)
            }
        }
    }
}

impl From<ReadEventsError> for ApiError {
    fn from(error: ReadEventsError) -> Self {
        let message = error.to_string();
        match error {
            ReadEventsError::TooManyReaders => {
                Self::new(ErrorCode::LiveTooManyReaders, message).retry_after(TOO_MANY_READERS)
            }
            ReadEventsError::UnknownEvent => Self::invalid_parameter("after", &message),
            ReadEventsError::Io(_) => Self::internal_because(message),
        }
    }
}

impl ApiError {
    /// Returns the members of the error's JSON, for an event.
    pub(in crate::http) fn members(&self) -> Value {
        self.log_internal();
        let body: Value = serde_json::from_str(&self.json()).unwrap_or_default();
        body.get("error").cloned().unwrap_or_else(|| json!({ "code": self.code() }))
    }
}
