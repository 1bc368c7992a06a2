//! The body as it comes over the wire: in which of the three forms it is, and how long its sender may take.

use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::IntakeError;
use crate::config;

/// How the audio and the options are packed into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// `multipart/form-data`, as OpenAI takes it.
    Multipart,
    /// `application/json` with the audio in base64.
    Json,
    /// The body is the audio; the options are in the query. [`BodyForm::is_raw`] has the types.
    Raw,
}

impl BodyForm {
    /// The form that a `Content-Type` announces.
    pub fn of(content_type: Option<&str>) -> Result<Self, IntakeError> {
        let Some(text) = content_type else { return Err(IntakeError::NoContentType) };
        // Parameters such as `codecs=opus` come unquoted from recorders and may be malformed; the type alone decides.
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "multipart/form-data" => Ok(Self::Multipart),
            "application/json" => Ok(Self::Json),
            raw if Self::is_raw(raw) => Ok(Self::Raw),
            _ => {
                Err(IntakeError::ContentType { got: essence.chars().filter(char::is_ascii_graphic).take(80).collect() })
            }
        }
    }

    /// Whether a body of this media type, given without parameters and in small letters, may be a recording. Browsers call a
    /// recording of sound alone `video/webm` or `video/mp4` often enough; object stores send `binary/octet-stream`; and
    /// `application/ogg` (RFC 5334 §10.1) and `application/mp4` (RFC 4337 §3.1) name a container, not its content.
    pub fn is_raw(media_type: &str) -> bool {
        const OTHERS: [&str; 4] =
            ["application/octet-stream", "binary/octet-stream", "application/ogg", "application/mp4"];
        OTHERS.contains(&media_type) || media_type.starts_with("audio/") || media_type.starts_with("video/")
    }

    /// About how many bytes of audio are in a body of so many bytes.
    pub fn audio_bytes(self, declared: u64) -> u64 {
        match self {
            Self::Multipart | Self::Raw => declared,
            // Four characters stand for three bytes.
            Self::Json => declared / 4 * 3,
        }
    }

    /// The most bytes that a body of this form can have while its audio and its fields are within their limits. A body
    /// that announces more is refused before it is read.
    pub fn max_body_bytes(self, settings: &config::Intake) -> u64 {
        let wide = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let references = wide(settings.max_reference_bytes).saturating_mul(4);
        let text = wide(settings.max_text_bytes).saturating_add(references);
        // Delimiters and part headers, or names and punctuation, around each field.
        let around = wide(settings.max_fields).saturating_add(1).saturating_mul(512);
        let audio = settings.max_audio_bytes;
        match self {
            Self::Raw => audio,
            Self::Multipart => audio.saturating_add(text).saturating_add(around),
            // Base64 is 4 for 3, and encoders may break it into lines; JSON may escape a byte of text as six.
            Self::Json => (audio / 3 + 1)
                .saturating_mul(4)
                .saturating_add(audio / 6)
                .saturating_add(text.saturating_mul(6))
                .saturating_add(around),
        }
    }
}

/// How long a client may take to send its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) idle: Duration,
    pub(super) whole: Duration,
}

impl Pace {
    /// `body`, ended by an error when the client is silent for too long or takes too long in all, or sends more than
    /// `limit` bytes.
    pub(super) fn hold<S>(self, body: S, limit: u64) -> LocalBoxStream<'static, Result<Bytes, PayloadError>>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let end = Instant::now() + self.whole;
        stream::unfold((body, 0_u64, false), move |(mut body, read, over)| async move {
            if over {
                return None;
            }
            let next = timeout_at(end.min(Instant::now() + self.idle), body.next()).await;
            let chunk = match next {
                Err(_) => Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into())),
                Ok(None) => return None,
                Ok(Some(chunk)) => chunk,
            };
            let read =
                read.saturating_add(chunk.as_ref().map_or(0, |chunk| chunk.len().try_into().unwrap_or(u64::MAX)));
            let chunk =
                if read > limit { Err(PayloadError::Io(std::io::ErrorKind::FileTooLarge.into())) } else { chunk };
            let over = chunk.is_err();
            Some((chunk, (body, read, over)))
        })
        // actix-multipart asks again after the end.
        .fuse()
        .boxed_local()
    }
}
