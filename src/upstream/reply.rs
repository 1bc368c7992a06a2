//! The provider's answer, ready for the relay: a whole answer, or a stream of events.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer_budget::{AnswerBudget, AnswerBytes};
use super::chunks::{EventBytes, chunks};
use super::error::UpstreamError;
use super::headers::{allowed, request_id};
use super::providers::ProviderLease;
use super::reason::Reason;
use super::redact::{json_without_key, without_key};
use super::request::ForwardRequest;
use crate::domain::terms::Format;
use crate::domain::text::without_byte_order_mark;

/// A provider's answer.
#[derive(Debug)]
pub struct Reply {
    /// The name of the provider that answered.
    pub provider: String,
    /// The provider's request id, for the log.
    pub request_id: Option<String>,
    /// The provider's headers that may be passed on.
    pub headers: HeaderMap,
    /// The body of the answer.
    pub answer: Answer,
}

/// A provider's answer, still to come.
pub type ReplyFuture = LocalBoxFuture<'static, Result<Reply, UpstreamError>>;

/// A function that begins to send a job to a provider.
pub type SendJob = Rc<dyn Fn(ForwardRequest) -> ReplyFuture>;

/// The body of a [`Reply`].
pub enum Answer {
    /// A complete body.
    Whole {
        /// The content type, as the provider sent it.
        content_type: Option<HeaderValue>,
        /// The body, byte for byte.
        body: Bytes,
    },
    /// Server-sent events, relayed as they arrive.
    Events {
        /// The bytes of the stream.
        bytes: EventBytes,
        /// The provider's key, which must be removed from errors in the stream.
        key: Option<SecretString>,
    },
}

/// Shows only the size: a transcript does not belong in a log.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole { body, .. } => write!(f, "Whole({} bytes)", body.len()),
            Self::Events { .. } => f.write_str("Events"),
        }
    }
}

/// The rules for reading a response.
pub(super) struct Reading<'a> {
    /// True if the request asked for a stream.
    pub(super) streamed: bool,
    /// The format that the request asked for.
    pub(super) format: Format,
    /// The longest silence.
    pub(super) idle: Duration,
    /// The largest answer that is not a stream.
    pub(super) max_bytes: usize,
    /// The size of this answer and others together.
    pub(super) answers: &'a AnswerBudget,
    /// The time at which the head of the response came.
    pub(super) now: SystemTime,
}

/// Reads a successful response: to its end, or to the first event if it is a stream. If the request asked for a stream, a
/// response of type `text/plain`, or of no particular type, is a stream if it begins like one.
pub(super) async fn read(
    response: Response,
    lease: &ProviderLease,
    reading: &Reading<'_>,
) -> Result<Reply, UpstreamError> {
    let key = lease.secret().cloned();
    let headers = allowed(response.headers(), key.as_ref(), reading.now);
    let request_id = request_id(response.headers(), key.as_ref());
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let kind = content_type.as_ref().and_then(|value| value.to_str().ok());
    // A transcript is not an HTML page, but some servers send JSON under this type.
    let claims_page = kind.is_some_and(|kind| is(kind, "text/html"));
    if response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(UpstreamError::Compressed);
    }
    let mut events = kind.is_some_and(|kind| is(kind, "text/event-stream"));
    let vague = claims_page || kind.is_none_or(|kind| is(kind, "text/plain"));
    let claims_json = kind.is_some_and(|kind| is(kind, "application/json"));
    let content_type = content_type.filter(|value| may_pass(value, key.as_ref()));
    let mut bytes = chunks(response, reading.idle);
    if reading.streamed && vague && !events {
        let first = bytes.next().await;
        events = matches!(&first, Some(Ok(first)) if begins_stream(first));
        bytes = stream::iter(first).chain(bytes).boxed();
    }
    let answer = if events {
        Answer::Events { bytes: from_first_event(bytes).await?, key }
    } else {
        let (body, counted) = whole(bytes, reading).await?;
        if claims_page && !(reading.format.is_json() && is_json_object(&body)) {
            return Err(UpstreamError::Page);
        }
        check_transcript(&body, reading.format, claims_json, key.as_ref())?;
        counted.keep();
        let body = key.map_or_else(|| body.clone(), |key| json_without_key(&body, &key));
        Answer::Whole { content_type, body }
    };
    Ok(Reply { provider: lease.settings().name.clone(), request_id, headers, answer })
}

async fn whole(mut bytes: EventBytes, reading: &Reading<'_>) -> Result<(Bytes, AnswerBytes), UpstreamError> {
    let (mut body, mut counted) = (BytesMut::new(), reading.answers.begin());
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        if body.len().saturating_add(chunk.len()) > reading.max_bytes {
            return Err(UpstreamError::TooLarge { allowed: reading.max_bytes });
        }
        counted.take(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok((body.freeze(), counted))
}

/// Reads a stream up to its first event, so that a stream that ends before it can be retried at another candidate.
/// Comments are not events; the wait for an event ends after a large number of them.
async fn from_first_event(mut bytes: EventBytes) -> Result<EventBytes, UpstreamError> {
    const MAX_COMMENT_BYTES: usize = 16 * 1024;
    let mut begun = BytesMut::new();
    loop {
        begun.extend_from_slice(&bytes.next().await.ok_or(UpstreamError::Broken)??);
        if has_more_than_comments(&begun) || begun.len() > MAX_COMMENT_BYTES {
            return Ok(stream::iter([Ok(begun.freeze())]).chain(bytes).boxed());
        }
    }
}

fn has_more_than_comments(bytes: &[u8]) -> bool {
    without_byte_order_mark(bytes)
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .any(|line| !line.is_empty() && !line.starts_with(b":"))
}

/// True if a stream of events begins like this. Its first chunk is long enough in practice; a shorter one is not a
/// transcript.
fn begins_stream(first: &[u8]) -> bool {
    [b"data:".as_slice(), b"event:", b"id:", b":"].iter().any(|field| first.trim_ascii_start().starts_with(field))
}

#[derive(Deserialize)]
struct Outline {
    error: Option<IgnoredAny>,
}

/// Checks that a successful answer can be a transcript. In a JSON format it must be an object without `error`. In the
/// other formats any text passes, since silence has an empty transcript, except an error that is declared as JSON:
/// whisper.cpp's server sends such errors with status 200.
fn check_transcript(
    body: &[u8],
    format: Format,
    claims_json: bool,
    key: Option<&SecretString>,
) -> Result<(), UpstreamError> {
    match serde_json::from_slice::<Outline>(without_byte_order_mark(body)) {
        Ok(Outline { error: Some(_) }) if format.is_json() || claims_json => Err(UpstreamError::ErrorAsAnswer {
            message: Reason::read(StatusCode::OK, without_byte_order_mark(body), key).message,
        }),
        Err(_) if format.is_json() => Err(UpstreamError::NoTranscript),
        _ => Ok(()),
    }
}

fn is_json_object(body: &[u8]) -> bool {
    serde_json::from_slice::<Outline>(without_byte_order_mark(body)).is_ok()
}

/// Checks for the content types of OpenAI's answers. Any other type would reveal more about the provider than about the
/// answer.
fn may_pass(content_type: &HeaderValue, key: Option<&SecretString>) -> bool {
    const TYPES: [&str; 5] = ["application/json", "text/plain", "text/vtt", "text/srt", "application/x-subrip"];
    content_type.to_str().is_ok_and(|text| TYPES.iter().any(|kind| is(text, kind)) && without_key(text, key) == text)
}

fn is(content_type: &str, essence: &str) -> bool {
    content_type.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(essence))
}
