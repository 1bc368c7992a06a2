//! The transcript of a request: one provider's answer, or the joined answers for the pieces of a recording.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::LocalBoxStream;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;

use super::error::TranscriptError;
use crate::upstream::{Answer, Reply};

/// The bytes of a stream of events, with whatever breaks it off.
pub type TranscriptEvents = LocalBoxStream<'static, Result<Bytes, TranscriptError>>;

/// The answer to a request, ready for the relay.
#[derive(Debug)]
pub struct Transcript {
    /// The provider's request id, for the log; `None` for a transcript that is joined from many.
    pub request_id: Option<String>,
    /// The headers that go to the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: TranscriptBody,
}

/// The body of a [`Transcript`].
pub enum TranscriptBody {
    /// A complete body.
    Whole {
        /// The content type, if the provider sent one.
        content_type: Option<HeaderValue>,
        /// The body: the provider's, byte for byte, or the joined one.
        body: Bytes,
    },
    /// Server-sent events, relayed as they come.
    Events {
        /// The bytes of the stream.
        bytes: TranscriptEvents,
        /// The provider's key, which must be removed from errors in the stream.
        key: Option<SecretString>,
        /// The largest event, if it may be larger than a provider's: the last one has the whole transcript.
        max_event_bytes: Option<usize>,
    },
}

/// Shows only the size: a transcript does not belong in a log.
impl std::fmt::Debug for TranscriptBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole { body, .. } => write!(f, "Whole({} bytes)", body.len()),
            Self::Events { .. } => f.write_str("Events"),
        }
    }
}

/// Takes one provider's reply as the transcript of the request.
impl From<Reply> for Transcript {
    fn from(reply: Reply) -> Self {
        let body = match reply.answer {
            Answer::Whole { content_type, body } => TranscriptBody::Whole { content_type, body },
            Answer::Events { bytes, key } => {
                let bytes = bytes.map(|chunk| chunk.map_err(TranscriptError::from)).boxed_local();
                TranscriptBody::Events { bytes, key, max_event_bytes: None }
            }
        };
        Self { request_id: reply.request_id, headers: reply.headers, body }
    }
}
