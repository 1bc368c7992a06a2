//! A provider's error, prepared for clients: in OpenAI's shape, without any part of the key.

use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use futures_util::StreamExt;
use reqwest::{Response, StatusCode};
use tokio::time::timeout;

use super::backoff;
use super::chunks::chunks;
use super::error::{Refused, RefusedBody};
use super::headers::{allowed, request_id};
use super::providers::ProviderLease;
use super::reason::Reason;

/// The largest part of an error's body that the gateway reads, and the longest time that it takes.
const MAX_BODY_BYTES: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a response without success, which came at `now`.
pub(super) async fn read(response: Response, lease: &ProviderLease, now: SystemTime) -> Refused {
    let (status, key) = (response.status(), lease.secret());
    let (headers, request_id) = (allowed(response.headers(), key, now), request_id(response.headers(), key));
    let retry_after = backoff::retry_after(&headers, now);
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
    Refused { provider: lease.settings().name.clone(), request_id, status, headers, retry_after, kind, code, body }
}

async fn read_some(response: Response) -> BytesMut {
    let mut chunks = chunks(response, BODY_TIMEOUT);
    let mut body = BytesMut::new();
    let reading = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            let room = MAX_BODY_BYTES.saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() == MAX_BODY_BYTES {
                break;
            }
        }
    };
    // On a timeout, the part that has arrived is enough.
    let _ = timeout(BODY_TIMEOUT, reading).await;
    body
}
