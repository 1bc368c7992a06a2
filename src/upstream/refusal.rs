//! A provider's error, prepared for clients: in OpenAI's shape, without any part of the key.

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

/// The largest part of an error's body that the gateway reads, and the longest time that it takes.
const MOST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// A provider's error.
#[derive(Debug)]
pub struct Refused {
    /// The name of the provider.
    pub provider: String,
    /// The provider's request id, for the log.
    pub request_id: Option<String>,
    /// The provider's status.
    pub status: StatusCode,
    /// The headers that may be passed on.
    pub headers: HeaderMap,
    /// The `type` of the error, for the log.
    pub kind: Option<String>,
    /// The `code` of the error, for the log.
    pub code: Option<String>,
    /// The content of the error.
    pub body: RefusedBody,
}

/// The content of a provider's error.
#[derive(Debug)]
pub enum RefusedBody {
    /// A JSON error in OpenAI's shape, to be passed on unchanged except for added members that it lacked.
    OpenAi(String),
    /// A message from a body of another shape: one line of at most 1000 characters.
    Message(String),
    /// Nothing useful for a client: an HTML page, or an empty body.
    Opaque,
    /// The provider does not accept the gateway's key. Its message about that is for the operator only.
    Credentials,
}

/// Reads the body of a response without success.
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
    // On a timeout, the part that has arrived is enough.
    let _ = timeout(PATIENCE, reading).await;
    body
}
