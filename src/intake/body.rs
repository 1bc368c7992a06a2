//! The body on the wire: its form, and the time that a client may take to send it.

use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::IntakeError;
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

/// The error for a body that came more slowly than the contained `min_rate`.
#[derive(Debug, thiserror::Error)]
#[error("less than {0} bytes a second")]
pub(super) struct BelowMinRate(pub(super) u64);

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
        let whole = self.whole.saturating_add(time_of(self.announced.max(read), ADDED_TIME_RATE));
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

/// Returns the time that `bytes` take at `rate` bytes a second.
fn time_of(bytes: u64, rate: u64) -> Duration {
    let (seconds, rest) = (bytes / rate.max(1), bytes % rate.max(1));
    Duration::from_secs(seconds).saturating_add(Duration::from_millis(rest.saturating_mul(1000) / rate.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACE: BodyTimeouts =
        BodyTimeouts { idle: Duration::from_secs(30), whole: Duration::from_mins(5), min_rate: 4096, announced: 0 };

    /// Feeds a body of `chunks`, each with its delay after the previous chunk and its size. No bytes follow them, and
    /// the body does not end. Returns the time after which the body is given up, and the error.
    async fn given_up(pace: BodyTimeouts, chunks: Vec<(Duration, usize)>) -> (Duration, IntakeError) {
        let start = Instant::now();
        let sent = stream::iter(chunks).then(|(after, bytes)| async move {
            tokio::time::sleep(after).await;
            Ok(Bytes::from(vec![0; bytes]))
        });
        let body = Box::pin(sent.chain(stream::pending()));
        let mut held = pace.hold(body, u64::MAX);
        loop {
            match held.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return (start.elapsed(), IntakeError::of_payload(&error, 0)),
                None => panic!("it does not end"),
            }
        }
    }

    fn every(interval: Duration, bytes: usize) -> Vec<(Duration, usize)> {
        vec![(interval, bytes); 2000]
    }

    fn seconds(span: Duration) -> u64 {
        span.as_secs()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_after_its_first_minute() {
        for bytes in [1, 100, 4000] {
            let (after, error) = given_up(PACE, every(SECOND, bytes)).await;
            assert!(matches!(error, IntakeError::BelowMinRate { min_rate: 4096 }), "{error}");
            assert_eq!(seconds(after), 60, "{bytes} bytes a second");
        }
        // The bytes of the first minute count: ten times the minimum rate for one minute lasts ten minutes.
        let burst = [every(SECOND, 40_960)[..60].to_vec(), every(SECOND, 1)].concat();
        let roomy = BodyTimeouts { whole: Duration::from_hours(1), ..PACE };
        assert_eq!(seconds(given_up(roomy, burst).await.0), 600);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_up_the_rate_may_take_the_whole_time_and_that_of_its_bytes() {
        let (after, error) = given_up(PACE, every(SECOND, 8192)).await;
        assert!(matches!(error, IntakeError::TooSlow), "{error}");
        // 300 s, and each second adds 1/16 s: 300 / (1 - 1/16).
        assert_eq!(seconds(after), 319, "one before the chunk that would be too late");
        let announced = BodyTimeouts { announced: 100 * ADDED_TIME_RATE, ..PACE };
        assert_eq!(seconds(given_up(announced, every(SECOND, 8192)).await.0), 400);
        // At one megabit a second the body may continue forever, or up to its maximum size.
        let fast = given_up(PACE, every(SECOND, 128 * 1024)).await.0;
        assert_eq!(seconds(fast), 2030, "it is silent after 2000 s");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_its_own_limit_and_without_a_rate_only_the_others_hold() {
        let (after, error) = given_up(PACE, Vec::new()).await;
        assert_eq!((seconds(after), matches!(error, IntakeError::TooSlow)), (30, true));
        let unpaced = BodyTimeouts { min_rate: 0, ..PACE };
        let (after, error) = given_up(unpaced, every(SECOND * 20, 1)).await;
        assert_eq!((seconds(after), matches!(error, IntakeError::TooSlow)), (300, true));
    }

    proptest! {
        #[test]
        fn the_wait_is_never_longer_than_any_limit_leaves(
            elapsed in 0..10_000_u64, read in any::<u64>(), announced in any::<u64>(), min_rate in any::<u64>(),
        ) {
            let pace = BodyTimeouts { min_rate, announced, ..PACE };
            let elapsed = Duration::from_secs(elapsed);
            let (wait, _) = pace.wait(elapsed, read);
            prop_assert!(wait <= pace.idle);
            prop_assert!(wait.saturating_add(elapsed) <= pace.whole.saturating_add(time_of(read.max(announced), ADDED_TIME_RATE)).max(elapsed));
            // More bytes never shorten the wait.
            prop_assert!(wait <= pace.wait(elapsed, read.saturating_add(1)).0);
        }
    }
}
