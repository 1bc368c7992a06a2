//! Everything that can be wrong with what came. Each message is what the client reads.

use std::io::{self, ErrorKind};

use actix_multipart::MultipartError;
use actix_web::error::PayloadError;

use super::body::BelowMinRate;
use super::json::JsonError;
use super::media::MediaError;
use super::options::OptionError;
use super::spool::SpoolError;
use crate::fair_share::Refused;

/// Why a request could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is no `Content-Type`.
    #[error(
        "The request has no Content-Type. Use multipart/form-data, application/json, audio/*, video/* or application/octet-stream."
    )]
    NoContentType,
    /// The `Content-Type` is none of those that are taken.
    #[error(
        "Content-Type '{got}' is not supported. Use multipart/form-data, application/json, audio/*, video/* or application/octet-stream."
    )]
    ContentType {
        /// What came.
        got: String,
    },
    /// The recording, or the body that holds it, is too large.
    #[error("Maximum content size limit ({allowed}) exceeded.")]
    TooLarge {
        /// The largest recording in bytes.
        allowed: u64,
    },
    /// The client was silent for too long, or took too long in all.
    #[error("The request body did not arrive in time.")]
    TooSlow,
    /// The client sent, but too slowly for too long.
    #[error(
        "The request body came too slowly: after its first minute it must keep up {min_rate} bytes a second on average."
    )]
    BelowMinRate {
        /// The bytes that must have come, on average, in each second so far.
        min_rate: u64,
    },
    /// The connection ended before the body did.
    #[error("The request body ended before it was complete.")]
    CutShort,
    /// The form ended before its last boundary, or has another one than it announced.
    #[error("The multipart form ended before its last boundary, which must be the one that its Content-Type names.")]
    FormCutShort,
    /// The body is no multipart form.
    #[error("The multipart form cannot be read: {0}.")]
    Multipart(String),
    /// The body is not the JSON that is taken.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field name that no form of OpenAI's has.
    #[error("A field name may have up to 128 letters, digits and the signs _ - . [ ].")]
    FieldName,
    /// More fields than are allowed.
    #[error("The request has more than {allowed} fields.")]
    TooManyFields {
        /// How many may be.
        allowed: usize,
    },
    /// A text field is too long.
    #[error(
        "Field '{name}' is too large: it and the other text fields may have {allowed} bytes. A recording belongs in field \
         'file' of a form, or in 'audio' of JSON."
    )]
    FieldTooLarge {
        /// The field.
        name: String,
        /// How many bytes there may be.
        allowed: usize,
    },
    /// A text field is no text in its charset.
    #[error("Field '{name}' is not {charset} text. A recording belongs in field 'file'.")]
    NotText {
        /// The field.
        name: String,
        /// The charset that it was read in.
        charset: &'static str,
    },
    /// A text field is in a charset that nothing is known of.
    #[error("Field '{name}' names the charset '{charset}', which is not known here. Send UTF-8.")]
    Charset {
        /// The field.
        name: String,
        /// What it names.
        charset: String,
    },
    /// The recording is in another field than the one for it.
    #[error("Field '{name}' holds a recording, which belongs in field 'file'.")]
    MisplacedFile {
        /// The field in which it came.
        name: String,
    },
    /// There is no audio.
    #[error("No audio was sent: field 'file' is missing.")]
    NoFile,
    /// There is more than one recording.
    #[error("Field 'file' was sent more than once.")]
    SecondFile,
    /// A field that stands for the audio came where only options are.
    #[error("'{name}' cannot be an option: it stands for the audio, which a form has in field 'file'.")]
    Reserved {
        /// The field.
        name: String,
    },
    /// An option is wrong.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The audio is not what can be transcribed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// There is no room for the recording: recordings take all there is, or the caller's take all that one caller may have.
    #[error("{}", match .0 {
        Refused::Exhausted => "The gateway has no room for another recording now. Try again soon.",
        Refused::OverShare => "Your recordings take all the room that the gateway has for one caller now. Try again soon.",
    })]
    NoRoom(Refused),
    /// There is no turn to measure the recording.
    #[error("{}", match .0 {
        Refused::Exhausted => "The gateway has as many recordings to measure as it may have. Try again soon.",
        Refused::OverShare => "You have as many recordings to be measured as the gateway takes from one caller. Try again soon.",
    })]
    NoTurn(Refused),
    /// The spool could not be written or read.
    #[error("The recording could not be stored.")]
    Spool(#[from] io::Error),
}

impl From<SpoolError> for IntakeError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::NoRoom(refused) => Self::NoRoom(refused),
            // Somebody else has filled the disk that the settings promise.
            SpoolError::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                tracing::error!(%error, "intake.spool_dir is full, although recordings take less than they may");
                Self::NoRoom(Refused::Exhausted)
            }
            SpoolError::Io(error) => Self::Spool(error),
        }
    }
}

impl IntakeError {
    /// What an error of the body's stream means. `allowed` is the largest recording.
    pub(super) fn of_payload(error: &PayloadError, allowed: u64) -> Self {
        match error {
            PayloadError::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => Self::TooLarge { allowed },
            PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                let below = error.get_ref().and_then(|cause| cause.downcast_ref::<BelowMinRate>());
                below.map_or(Self::TooSlow, |below| Self::BelowMinRate { min_rate: below.0 })
            }
            _ => Self::CutShort,
        }
    }

    pub(super) fn of_multipart(error: &MultipartError, allowed: u64) -> Self {
        match error {
            // The parser says so of its own buffer too, for a preamble or a part's headers without end; the size of the
            // body was judged before it came here.
            MultipartError::Payload(PayloadError::Overflow) => {
                Self::Multipart("it has a part with too long a head, or too much before its first part".to_owned())
            }
            MultipartError::Payload(error) => Self::of_payload(error, allowed),
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
