//! Errors for a recording that goes to providers in pieces.

use serde::Serialize;

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::speech::{SoundError, Span, SpeechError};
use crate::split::join::Partial;
use crate::split::{Incomplete, TranscriptError};

/// `error.partial`: what was heard, and what is missing.
#[derive(Serialize)]
struct PartialObject<'a> {
    #[serde(flatten)]
    transcribed: &'a Partial,
    missing: Vec<MissingObject>,
}

/// A stretch of the recording, in seconds.
#[derive(Serialize)]
struct MissingObject {
    start: f64,
    end: f64,
}

impl From<Span> for MissingObject {
    fn from(span: Span) -> Self {
        // To the millisecond: more digits would claim more than is known.
        let seconds = |samples: crate::speech::Samples| samples.audio_ms().duration().as_secs_f64();
        Self { start: seconds(span.start), end: seconds(span.end) }
    }
}

impl ApiError {
    pub(super) fn from_transcript_error(error: &TranscriptError) -> Self {
        match error {
            TranscriptError::Provider(error) => Self::from_upstream(error),
            TranscriptError::Sound(error) => Self::from_speech(error),
            TranscriptError::NotDivided(not_divided) => Self::from_refusal(&not_divided.refusal, error.to_string()),
            TranscriptError::Incomplete(incomplete) => Self::incomplete(error, incomplete),
        }
    }

    /// Builds the error for a transcript with a hole. An SDK that tries again by itself would pay for all of it again.
    fn incomplete(error: &TranscriptError, incomplete: &Incomplete) -> Self {
        let missing = incomplete.missing.iter().copied().map(MissingObject::from).collect();
        let partial = serde_json::value::to_raw_value(&PartialObject { transcribed: &incomplete.partial, missing });
        match partial {
            Ok(partial) => Self::new(ErrorCode::TranscriptIncomplete, error.to_string()).never_retry().partial(partial),
            Err(_) => Self::internal(),
        }
    }

    fn from_speech(error: &SpeechError) -> Self {
        match error {
            SpeechError::Sound(SoundError::NotUnderstood { .. }) | SpeechError::TooExpensive { .. } => Self::new(
                ErrorCode::InvalidAudio,
                format!("This recording can only be transcribed in pieces: {error}."),
            )
            .param("file"),
            SpeechError::TooLong { .. } => Self::new(ErrorCode::AudioTooLong, format!("{error}.")).param("file"),
            SpeechError::NoTurn(_) | SpeechError::NoRoom(_) => {
                Self::overloaded("The gateway is transcribing as many recordings as it can. Please try again.")
            }
            SpeechError::Sound(_) | SpeechError::Io(_) | SpeechError::Encoder(_) | SpeechError::BrokeOff => {
                Self::internal_because(error.to_string())
            }
        }
    }
}
