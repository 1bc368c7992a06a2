//! Errors for bodies, options and recordings.

use super::api_error::ApiError;
use super::code::ErrorCode;
use crate::intake::json::JsonError;
use crate::intake::media::MediaError;
use crate::intake::{IntakeError, OptionError};

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        use IntakeError as E;
        let message = error.to_string();
        let with = |code| Self::new(code, message.clone());
        match error {
            E::NoContentType | E::ContentType { .. } => with(ErrorCode::UnsupportedMediaType),
            E::TooLarge { .. } => with(ErrorCode::FileTooLarge).param("file"),
            E::TooSlow | E::BelowMinRate { .. } => with(ErrorCode::RequestTimeout),
            E::CutShort | E::FormCutShort => with(ErrorCode::IncompleteBody),
            E::Multipart(_) => with(ErrorCode::InvalidMultipart),
            E::FieldName => with(ErrorCode::InvalidValue),
            E::TooManyFields { .. } => with(ErrorCode::TooManyFields),
            E::FieldTooLarge { name, .. } => with(ErrorCode::FieldTooLarge).param(&name),
            E::NotText { name, .. } | E::Charset { name, .. } => with(ErrorCode::InvalidValue).param(&name),
            E::NoFile | E::MisplacedFile { .. } => with(ErrorCode::MissingRequiredParameter).param("file"),
            E::Reserved { name } => with(ErrorCode::DuplicateParameter).param(&name),
            E::SecondFile => with(ErrorCode::DuplicateParameter).param("file"),
            E::NoRoom(_) | E::NoTurn(_) => Self::overloaded(message),
            E::Media(MediaError::Read(error)) | E::Spool(error) => {
                Self::internal_because(format!("the spool failed: {error}"))
            }
            E::Media(_) => with(ErrorCode::InvalidAudio).param("file"),
            E::Json(error) => Self::from_json(&error, message),
            E::Option(error) => {
                let code = match &error {
                    OptionError::Repeated { .. } => ErrorCode::DuplicateParameter,
                    _ => ErrorCode::InvalidValue,
                };
                with(code).param(error.name())
            }
        }
    }
}

impl ApiError {
    fn from_json(error: &JsonError, message: String) -> Self {
        use JsonError as E;
        match error {
            E::Empty | E::NotAnObject { .. } | E::CutShort | E::AudioCutShort { .. } | E::Malformed(_) => {
                Self::new(ErrorCode::InvalidJson, message)
            }
            E::TooLarge { .. } => Self::new(ErrorCode::FieldTooLarge, message),
            E::Repeated { name } => Self::new(ErrorCode::DuplicateParameter, message).param(name),
            E::AudioMissing { .. } => Self::new(ErrorCode::MissingRequiredParameter, message).param("audio"),
            E::AudioRepeated { second, .. } => Self::new(ErrorCode::DuplicateParameter, message).param(second.name()),
            E::AudioNotString { field, .. } => Self::new(ErrorCode::InvalidValue, message).param(field.name()),
            E::InputAudioNotObject { .. } => Self::new(ErrorCode::InvalidValue, message).param("input_audio"),
            E::ControlCharacter { field, .. }
            | E::UnknownEscape { field }
            | E::DataUrl { field, .. }
            | E::NotBase64 { field, .. } => Self::new(ErrorCode::InvalidBase64, message).param(field.name()),
        }
    }
}
