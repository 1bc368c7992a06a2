//! What the provider sent back, ready to be relayed: a whole answer, or a stream of events.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use tokio::time::timeout;

use super::UpstreamError;
use super::secret_trace::{json_without_key, without_key};
use crate::config::Provider;

/// The headers of a provider that clients are shown. No other crosses.
const ALLOWED: [&str; 5] =
    ["openai-processing-ms", "openai-version", "retry-after", "retry-after-ms", "x-should-retry"];

/// A provider's answer.
#[derive(Debug)]
pub struct Reply {
    /// Who served it.
    pub provider: String,
    /// What the provider calls the request, for the log.
    pub request_id: Option<String>,
    /// The provider's headers that may be passed on.
    pub headers: HeaderMap,
    /// What it says.
    pub answer: Answer,
}

/// The body of a [`Reply`].
pub enum Answer {
    /// All of it.
    Whole {
        /// As the provider gave it.
        content_type: Option<HeaderValue>,
        /// Byte for byte.
        body: Bytes,
    },
    /// Server-sent events, as they arrive.
    Events {
        /// The bytes of the stream.
        bytes: EventBytes,
        /// The key of the provider, to be kept out of what it says of errors.
        key: Option<SecretString>,
    },
}

/// The bytes of a stream of events.
pub type EventBytes = BoxStream<'static, Result<Bytes, UpstreamError>>;

/// A transcript is not for logs: only its size is shown.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole { body, .. } => write!(f, "Whole({} bytes)", body.len()),
            Self::Events { .. } => f.write_str("Events"),
        }
    }
}

/// The headers that may be passed on, without those that quote the key.
pub(super) fn allowed(headers: &HeaderMap, key: Option<&SecretString>) -> HeaderMap {
    let shown = |name: &HeaderName, value: &HeaderValue| {
        let text = value.to_str().ok();
        ALLOWED.contains(&name.as_str()) && text.is_some_and(|text| without_key(text, key) == text)
    };
    let pairs = headers.iter().filter(|(name, value)| shown(name, value));
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The provider's `x-request-id`, by which its operators find the request; `None` where it is no short plain word.
pub(super) fn request_id(headers: &HeaderMap, key: Option<&SecretString>) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    (without_key(id, key) == id && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .then(|| id.to_owned())
}

/// Reads a successful response: to its end, unless it is a stream of events. Where a stream was asked for (`streamed`),
/// one that comes as plain text, or as nothing in particular, is known by how it begins.
pub(super) async fn read(
    response: Response,
    provider: &Provider,
    streamed: bool,
    idle: Duration,
    most: usize,
) -> Result<Reply, UpstreamError> {
    let headers = allowed(response.headers(), provider.api_key.as_ref());
    let request_id = request_id(response.headers(), provider.api_key.as_ref());
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let kind = content_type.as_ref().and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| is(kind, "text/html")) {
        return Err(UpstreamError::Page);
    }
    if response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(UpstreamError::Compressed);
    }
    let mut events = kind.is_some_and(|kind| is(kind, "text/event-stream"));
    let vague = kind.is_none_or(|kind| is(kind, "text/plain"));
    let content_type = content_type.filter(|value| may_pass(value, provider.api_key.as_ref()));
    let mut bytes = chunks(response, idle);
    if streamed && vague && !events {
        let first = bytes.next().await;
        events = matches!(&first, Some(Ok(first)) if begins_stream(first));
        bytes = stream::iter(first).chain(bytes).boxed();
    }
    let answer = if events {
        Answer::Events { bytes, key: provider.api_key.clone() }
    } else {
        let mut body = BytesMut::new();
        while let Some(chunk) = bytes.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() > most {
                return Err(UpstreamError::TooLarge { allowed: most });
            }
        }
        let body = body.freeze();
        let body = provider.api_key.as_ref().map_or_else(|| body.clone(), |key| json_without_key(&body, key));
        Answer::Whole { content_type, body }
    };
    Ok(Reply { provider: provider.name.clone(), request_id, headers, answer })
}

/// Whether a stream of events begins like this. Its first chunk is long enough in practice; a shorter one is no transcript.
fn begins_stream(first: &[u8]) -> bool {
    [b"data:".as_slice(), b"event:", b"id:", b":"].iter().any(|field| first.trim_ascii_start().starts_with(field))
}

/// The types that an answer of OpenAI's has. Another would say more of the provider than of the answer.
fn may_pass(content_type: &HeaderValue, key: Option<&SecretString>) -> bool {
    const TYPES: [&str; 5] = ["application/json", "text/plain", "text/vtt", "text/srt", "application/x-subrip"];
    content_type.to_str().is_ok_and(|text| TYPES.iter().any(|kind| is(text, kind)) && without_key(text, key) == text)
}

fn is(content_type: &str, essence: &str) -> bool {
    content_type.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(essence))
}

/// The chunks of a body. A silence longer than `idle` ends it with an error.
pub(super) fn chunks(response: Response, idle: Duration) -> EventBytes {
    stream::unfold(Some(response), move |response| async move {
        let mut response = response?;
        match timeout(idle, response.chunk()).await {
            Err(_) => Some((Err(UpstreamError::Timeout), None)),
            Ok(Err(error)) => Some((Err(UpstreamError::of(&error)), None)),
            Ok(Ok(Some(chunk))) => Some((Ok(chunk), Some(response))),
            Ok(Ok(None)) => None,
        }
    })
    .boxed()
}
