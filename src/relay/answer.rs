//! The choice between a whole answer and a stream.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::timeout;

use super::context::RelayContext;
use super::stream::{Relay, TranscriptFuture};
use crate::ledger::Report;
use crate::split::{Transcript, TranscriptBody, TranscriptError};

/// The content of the answer to the client.
pub enum Relayed {
    /// The provider's answer, unchanged.
    Whole {
        /// The provider's headers that may be passed on.
        headers: HeaderMap,
        /// The provider's content type, or the usual one of the format.
        content_type: HeaderValue,
        /// The provider's body, byte for byte.
        body: Bytes,
    },
    /// Server-sent events.
    Events {
        /// The provider's headers that may be passed on; empty if it has not answered yet.
        headers: HeaderMap,
        /// The bytes of the stream.
        body: Pin<Box<dyn Stream<Item = Bytes>>>,
    },
}

/// Waits for the provider and relays its answer. For a stream, the wait ends with the first keep-alive: the client then
/// has its head, and a later error becomes an event.
pub async fn relay(
    mut forwarding: TranscriptFuture,
    mut context: RelayContext<'_>,
) -> Result<Relayed, TranscriptError> {
    // A whole answer has no time limit here.
    let answer = if context.events {
        timeout(context.settings.keep_alive, &mut forwarding).await.ok()
    } else {
        Some(forwarding.as_mut().await)
    };
    if let Some(answer) = &answer {
        context.exchange.provider_answered(answer);
    }
    let transcript = answer.transpose().inspect_err(|_| context.exchange.failed())?;
    context.exchange.relaying();
    let (headers, relay) = match transcript {
        Some(transcript) if !context.events => return Ok(relay_whole(transcript, context)),
        Some(transcript) => (transcript.headers.clone(), Relay::of_transcript(transcript, context)),
        None => (HeaderMap::new(), Relay::of_forwarding(forwarding, context)),
    };
    Ok(Relayed::Events { headers, body: Box::pin(relay.into_stream()) })
}

fn relay_whole(transcript: Transcript, context: RelayContext<'_>) -> Relayed {
    let headers = transcript.headers.clone();
    match transcript.body {
        TranscriptBody::Whole { content_type, body } => {
            let is_json = context.format.is_json();
            // A transcript in a text format could contain anything, so only JSON is searched for usage.
            context.exchange.finish_whole(if is_json { Report::of_json(&body) } else { Report::default() });
            let usual = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
            let content_type = content_type.unwrap_or(HeaderValue::from_static(usual));
            Relayed::Whole { headers, content_type, body }
        }
        // The provider streams although the client did not ask for it: relay the stream.
        TranscriptBody::Events { .. } => {
            Relayed::Events { headers, body: Box::pin(Relay::of_transcript(transcript, context).into_stream()) }
        }
    }
}
