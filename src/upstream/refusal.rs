//! A provider's error, made fit to be shown: in OpenAI's shape, without a trace of the key.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::timeout;

use super::chunks::chunks;
use super::providers::Pass;
use super::reply::{allowed, request_id};
use super::secret_trace::without_key;

/// The most that is read of an error's body, and for how long.
const MOST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// A provider's error.
#[derive(Debug)]
pub struct Refused {
    /// Who it was.
    pub provider: String,
    /// What the provider calls the request, for the log.
    pub request_id: Option<String>,
    /// As the provider gave it.
    pub status: StatusCode,
    /// The headers that may be passed on.
    pub headers: HeaderMap,
    /// What to say.
    pub body: RefusedBody,
}

/// What a provider's error says.
#[derive(Debug)]
pub enum RefusedBody {
    /// A JSON error in OpenAI's shape, to be passed on as it is.
    OpenAi(String),
    /// A sentence out of a body of another shape.
    Message(String),
    /// Nothing that a client could use: an HTML page, or nothing at all.
    Opaque,
    /// The provider does not accept the gateway's key. What it says of that is for the operator alone.
    Credentials,
}

/// Reads the body of a response that is no success.
pub(super) async fn read(response: Response, pass: &Pass) -> Refused {
    let (status, key) = (response.status(), pass.secret());
    let (headers, request_id) = (allowed(response.headers(), key), request_id(response.headers(), key));
    let body = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            RefusedBody::Credentials
        }
        _ => said(&read_some(response).await, key),
    };
    Refused { provider: pass.settings().name.clone(), request_id, status, headers, body }
}

async fn read_some(response: Response) -> BytesMut {
    let mut chunks = chunks(response, PATIENCE);
    let mut body = BytesMut::new();
    let reading = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            let room = MOST.saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() == MOST {
                break;
            }
        }
    };
    // What came by then has to do.
    let _ = timeout(PATIENCE, reading).await;
    body
}

fn said(body: &[u8], key: Option<&SecretString>) -> RefusedBody {
    let Ok(text) = std::str::from_utf8(body) else { return RefusedBody::Opaque };
    let text = without_key(text, key);
    let Ok(parsed) = serde_json::from_str::<Value>(&text) else { return RefusedBody::Opaque };
    // An escape may hide the key from a search of the text, but not of the text as it would be written here.
    let written = parsed.to_string();
    let (text, parsed) = match without_key(&written, key) {
        clean if clean == written => (text.into_owned(), parsed),
        clean => (clean.clone().into_owned(), serde_json::from_str(&clean).unwrap_or_default()),
    };
    let Value::Object(object) = parsed else { return RefusedBody::Opaque };
    match object.get("error") {
        Some(Value::Object(error)) if error.get("message").is_some_and(Value::is_string) => RefusedBody::OpenAi(text),
        // Self-hosted servers say `{"error": "…"}`, `{"detail": "…"}` (FastAPI) or `{"message": "…"}`.
        error => [error, object.get("detail"), object.get("message")]
            .into_iter()
            .flatten()
            .find_map(Value::as_str)
            .map_or(RefusedBody::Opaque, |message| RefusedBody::Message(message.to_owned())),
    }
}
