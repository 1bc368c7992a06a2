//! The body on the wire: its form, and the time that a client may take to send it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::error::{BelowMinRate, IntakeError};
use crate::config;

/// The packaging of the audio and the options in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// `multipart/form-data`, as OpenAI takes it.
    Multipart,
    /// `application/json` with the audio in base64.
    Json,
    /// The body is the audio; the options are in the query. [`BodyForm::is_raw`] lists the media types.
    Raw,
}

impl BodyForm {
    /// Returns the form that a `Content-Type` announces.
    pub fn from_content_type(content_type: Option<&str>) -> Result<Self, IntakeError> {
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

    /// Returns true if a body of this media type may be a recording. The type comes without parameters and in lower
    /// case. Browsers often call a sound recording `video/webm` or `video/mp4`; object stores send
    /// `binary/octet-stream`; and `application/ogg` (RFC 5334 §10.1) and `application/mp4` (RFC 4337 §3.1) name a
    /// container, not its content.
    pub fn is_raw(media_type: &str) -> bool {
        const OTHERS: [&str; 4] =
            ["application/octet-stream", "binary/octet-stream", "application/ogg", "application/mp4"];
        OTHERS.contains(&media_type) || media_type.starts_with("audio/") || media_type.starts_with("video/")
    }

    /// Returns the approximate number of audio bytes in a body of `declared` bytes.
    pub fn audio_bytes(self, declared: u64) -> u64 {
        match self {
            Self::Multipart | Self::Raw => declared,
            // Four characters encode three bytes.
            Self::Json => declared / 4 * 3,
        }
    }

    /// Returns the maximum size in bytes of a body of this form with its audio and its fields within their limits. A
    /// body that announces more is refused before it is read.
    pub fn max_body_bytes(self, settings: &config::Intake) -> u64 {
        let wide = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let references = wide(settings.max_reference_bytes).saturating_mul(4);
        let text = wide(settings.max_text_bytes).saturating_add(references);
        // Delimiters and part headers, or names and punctuation, surround each field.
        let around = wide(settings.max_fields).saturating_add(1).saturating_mul(512);
        let audio = settings.max_audio_bytes;
        match self {
            Self::Raw => audio,
            Self::Multipart => audio.saturating_add(text).saturating_add(around),
            // Base64 turns three bytes into four characters, and encoders may add line breaks; JSON may escape one byte
            // of text as six.
            Self::Json => (audio / 3 + 1)
                .saturating_mul(4)
                .saturating_add(audio / 6)
                .saturating_add(text.saturating_mul(6))
                .saturating_add(around),
        }
    }
}

/// The rate at which the bytes of a body extend its deadline: one megabit a second, so that a large upload on a slow
/// line has enough time.
const ADDED_TIME_RATE: u64 = 128 * 1024;
/// The time during which no minimum rate applies: a line may be slow at the start.
const GRACE: Duration = Duration::from_mins(1);

/// The time limits for sending a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyTimeouts {
    /// The longest silence.
    idle: Duration,
    /// The longest time for an empty body. The body's bytes add time at [`ADDED_TIME_RATE`]: the announced bytes or, if
    /// more arrived or nothing was announced, the bytes that arrived.
    whole: Duration,
    /// The minimum average rate since the start, in bytes a second, once [`GRACE`] is over; 0 means no minimum.
    min_rate: u64,
    announced: u64,
}

/// The limit that ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Idle,
    Whole,
    MinRate,
}

impl BodyTimeouts {
    pub(super) fn new(settings: &config::Intake, announced: Option<u64>) -> Self {
        Self {
            idle: settings.idle_timeout,
            whole: settings.body_timeout,
            min_rate: settings.min_bytes_per_second,
            announced: announced.unwrap_or_default(),
        }
    }

    /// Returns the longest wait for the next bytes, `elapsed` after the start and with `read` bytes received, and the
    /// limit that ends the wait.
    fn wait(&self, elapsed: Duration, read: u64) -> (Duration, Limit) {
        let whole = whole_time(self.whole, self.announced.max(read));
        let in_rate = if self.min_rate == 0 { Duration::MAX } else { time_of(read, self.min_rate).max(GRACE) };
        let limits = [
            (self.idle, Limit::Idle),
            (whole.saturating_sub(elapsed), Limit::Whole),
            (in_rate.saturating_sub(elapsed), Limit::MinRate),
        ];
        limits.into_iter().min_by_key(|(wait, _)| *wait).unwrap_or((Duration::ZERO, Limit::Whole))
    }

    /// Returns `body` with the limits applied: the stream ends with an error when the client is too slow or sends more
    /// than `limit` bytes.
    pub(super) fn hold<S>(self, body: S, limit: u64) -> LocalBoxStream<'static, Result<Bytes, PayloadError>>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let start = Instant::now();
        stream::unfold((body, 0_u64, false), move |(mut body, read, over)| async move {
            if over {
                return None;
            }
            let (wait, which) = self.wait(start.elapsed(), read);
            // Bytes that have already arrived are accepted, however late.
            let chunk = match timeout(wait, body.next()).await {
                Err(_) => Err(PayloadError::Io(self.too_slow(which))),
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
        // actix-multipart polls again after the end.
        .fuse()
        .boxed_local()
    }

    fn too_slow(&self, which: Limit) -> std::io::Error {
        match which {
            Limit::Idle | Limit::Whole => std::io::ErrorKind::TimedOut.into(),
            Limit::MinRate => std::io::Error::new(std::io::ErrorKind::TimedOut, BelowMinRate(self.min_rate)),
        }
    }
}

/// Returns the longest time in which a body of this announced size arrives. If it takes longer, it is refused.
pub fn max_upload_time(settings: &config::Intake, bytes: u64) -> Duration {
    whole_time(settings.body_timeout, bytes)
}

/// Returns the time for a body of this size, where an empty body has the time `base`.
fn whole_time(base: Duration, bytes: u64) -> Duration {
    base.saturating_add(time_of(bytes, ADDED_TIME_RATE))
}

/// Returns the time that `bytes` take at `rate` bytes a second.
fn time_of(bytes: u64, rate: u64) -> Duration {
    let (seconds, rest) = (bytes / rate.max(1), bytes % rate.max(1));
    Duration::from_secs(seconds).saturating_add(Duration::from_millis(rest.saturating_mul(1000) / rate.max(1)))
}
