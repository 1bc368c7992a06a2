//! A provider's error, made fit to be shown: in OpenAI's shape, without a trace of the key.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use tokio::time::timeout;

use super::chunks::chunks;
use super::providers::ProviderLease;
use super::reason::Reason;
use super::reply::{allowed, request_id};

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
    /// The type of the error by the provider's own word, for the log.
    pub kind: Option<String>,
    /// Its code, likewise.
    pub code: Option<String>,
    /// What to say.
    pub body: RefusedBody,
}

/// What a provider's error says.
#[derive(Debug)]
pub enum RefusedBody {
    /// A JSON error in OpenAI's shape, to be passed on as it is. Members that it lacked have been added.
    OpenAi(String),
    /// A sentence out of a body of another shape: one line, of 1000 characters at most.
    Message(String),
    /// Nothing that a client could use: an HTML page, or nothing at all.
    Opaque,
    /// The provider does not accept the gateway's key. Its words about that are for nobody but the operator.
    Credentials,
}

/// Reads the body of a response that is no success.
pub(super) async fn read(response: Response, pass: &ProviderLease) -> Refused {
    let (status, key) = (response.status(), pass.secret());
    let (headers, request_id) = (allowed(response.headers(), key), request_id(response.headers(), key));
    let reason = Reason::read(status, &read_some(response).await, key);
    let is_about_key = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => true,
        // A provider that gives no reason refuses the key in most cases.
        StatusCode::FORBIDDEN => reason.message.is_none() || reason.is_about_credentials(),
        _ => false,
    };
    let Reason { openai, message, kind, code } = reason;
    let body = match (openai, message) {
        _ if is_about_key => RefusedBody::Credentials,
        (Some(json), _) => RefusedBody::OpenAi(json),
        (None, Some(message)) => RefusedBody::Message(message),
        (None, None) => RefusedBody::Opaque,
    };
    Refused { provider: pass.settings().name.clone(), request_id, status, headers, kind, code, body }
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
