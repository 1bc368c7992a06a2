//! The errors of a request body. Clients read the messages.

use std::io::{self, ErrorKind};

use actix_multipart::MultipartError;
use actix_web::error::PayloadError;

use super::json::JsonError;
use super::media::MediaError;
use super::option_error::OptionError;
use super::spool::SpoolError;
use crate::fair_share::Refused;

/// The reason why intake refused a request.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// `Content-Type` is missing.
    #[error(
        "The request has no Content-Type. Use multipart/form-data, application/json, audio/*, video/* or application/octet-stream."
    )]
    NoContentType,
    /// The `Content-Type` is not supported.
    #[error(
        "Content-Type '{got}' is not supported. Use multipart/form-data, application/json, audio/*, video/* or application/octet-stream."
    )]
    ContentType {
        /// The `Content-Type` of the request.
        got: String,
    },
    /// The recording, or the body that contains it, is too large.
    #[error("Maximum content size limit ({allowed}) exceeded{}.", announcement(*.announced))]
    TooLarge {
        /// The maximum size of a recording in bytes.
        allowed: u64,
        /// The size that the client announced, of the recording or of the body that contains it.
        announced: Option<u64>,
    },
    /// The client was silent for too long, or exceeded the total time.
    #[error("The request body did not arrive in time.")]
    TooSlow,
    /// The client sent too slowly for too long.
    #[error(
        "The request body came too slowly: after its first minute it must keep up {min_rate} bytes a second on average."
    )]
    BelowMinRate {
        /// The minimum average rate since the start, in bytes a second.
        min_rate: u64,
    },
    /// The connection closed before the end of the body.
    #[error("The request body ended before it was complete.")]
    CutShort,
    /// The form ended before its last boundary, or uses another boundary than it announced.
    #[error("The multipart form ended before its last boundary, which must be the one that its Content-Type names.")]
    FormCutShort,
    /// The body is not a multipart form.
    #[error("The multipart form cannot be read: {0}.")]
    Multipart(String),
    /// The JSON body is invalid.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field name has characters or a length that no field name of OpenAI's form has.
    #[error("A field name may have up to 128 letters, digits and the signs _ - . [ ].")]
    FieldName,
    /// The request has too many fields.
    #[error("The request has more than {allowed} fields.")]
    TooManyFields {
        /// The maximum number of fields.
        allowed: usize,
    },
    /// A text field is too long.
    #[error(
        "Field '{name}' is too large: it and the other text fields may have {allowed} bytes. A recording belongs in field \
         'file' of a form, or in 'audio' of JSON."
    )]
    FieldTooLarge {
        /// The field's name.
        name: String,
        /// The maximum number of bytes.
        allowed: usize,
    },
    /// A text field is not text in its charset.
    #[error("Field '{name}' is not {charset} text. A recording belongs in field 'file'.")]
    NotText {
        /// The field's name.
        name: String,
        /// The charset used to read the field.
        charset: &'static str,
    },
    /// A text field is in an unknown charset.
    #[error("Field '{name}' names the charset '{charset}', which is not known here. Send UTF-8.")]
    Charset {
        /// The field's name.
        name: String,
        /// The charset that the field names.
        charset: String,
    },
    /// A field other than `file` contains the recording.
    #[error("Field '{name}' holds a recording, which belongs in field 'file'.")]
    MisplacedFile {
        /// The field's name.
        name: String,
    },
    /// The audio is missing.
    #[error("No audio was sent: field 'file' is missing.")]
    NoFile,
    /// The request has more than one recording.
    #[error("Field 'file' was sent more than once.")]
    SecondFile,
    /// An option has a name that stands for the audio.
    #[error("'{name}' cannot be an option: it stands for the audio, which a form has in field 'file'.")]
    Reserved {
        /// The field's name.
        name: String,
    },
    /// An option is invalid.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The audio cannot be transcribed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The spool quota is exhausted, or the caller's share of it.
    #[error("{}", match .0 {
        Refused::Exhausted => "The gateway has no room for another recording now. Try again soon.",
        Refused::OverShare => "Your recordings take all the room that the gateway has for one caller now. Try again soon.",
    })]
    NoRoom(Refused),
    /// The measuring queue is full, or the caller's share of it.
    #[error("{}", match .0 {
        Refused::Exhausted => "The gateway has as many recordings to measure as it may have. Try again soon.",
        Refused::OverShare => "You have as many recordings to be measured as the gateway takes from one caller. Try again soon.",
    })]
    NoTurn(Refused),
    /// The spool could not be written or read.
    #[error("The recording could not be stored.")]
    Spool(#[from] io::Error),
}

/// Returns the end of a sentence that says which size was announced.
fn announcement(announced: Option<u64>) -> String {
    announced.map(|bytes| format!(": {bytes} bytes were announced")).unwrap_or_default()
}

impl From<SpoolError> for IntakeError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::NoRoom(refused) => Self::NoRoom(refused),
            // Other programs have filled the disk space that the settings promise.
            SpoolError::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                tracing::error!(%error, "intake.spool_dir is full, although recordings take less than they may");
                Self::NoRoom(Refused::Exhausted)
            }
            SpoolError::Io(error) => Self::Spool(error),
        }
    }
}

impl IntakeError {
    /// Converts an error of the body's stream. `allowed` is the maximum size of a recording.
    pub(super) fn from_payload(error: &PayloadError, allowed: u64) -> Self {
        match error {
            PayloadError::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Self::TooLarge { allowed, announced: None }
            }
            PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                let below = error.get_ref().and_then(|cause| cause.downcast_ref::<BelowMinRate>());
                below.map_or(Self::TooSlow, |below| Self::BelowMinRate { min_rate: below.0 })
            }
            _ => Self::CutShort,
        }
    }

    pub(super) fn from_multipart(error: &MultipartError, allowed: u64) -> Self {
        match error {
            // The parser also reports this for its own buffer, when a preamble or a part's headers never end. The size
            // of the body was checked earlier.
            MultipartError::Payload(PayloadError::Overflow) => {
                Self::Multipart("it has a part with too long a head, or too much before its first part".to_owned())
            }
            MultipartError::Payload(error) => Self::from_payload(error, allowed),
            MultipartError::Incomplete => Self::FormCutShort,
            MultipartError::BoundaryMissing => {
                Self::Multipart("a line that begins with its boundary goes on behind it".to_owned())
            }
            MultipartError::Parse(_) => Self::Multipart("the headers of a part are malformed".to_owned()),
            other => {
                let text = other.to_string();
                let mut letters = text.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                Self::Multipart(first.into_iter().chain(letters).collect())
            }
        }
    }
}

/// The error for a body that came more slowly than the contained `min_rate`.
#[derive(Debug, thiserror::Error)]
#[error("less than {0} bytes a second")]
pub(super) struct BelowMinRate(pub(super) u64);
