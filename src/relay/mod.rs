//! The answer to the client: a whole answer byte for byte, or a stream of server-sent events.
//!
//! A client that asks for a stream gets one from every model: if the provider answers whole, the gateway makes the same
//! events from that answer. This module reads the usage in what it relays, and changes nothing in it.

pub mod events;
mod open;
mod stream;
mod whole;

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::timeout;

use crate::admission::Permit;
use crate::config;
use crate::domain::terms::Format;
use crate::exchange::{Outcome, Record};
use crate::ledger::Report;
use crate::upstream::{Answer, Reply, UpstreamError};

pub use open::streams_open;
pub use stream::Forwarding;
use stream::Relay;

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

/// The context for relaying an answer.
pub struct RelayContext<'a> {
    /// True if the client asked for events.
    pub events: bool,
    /// The format that the client asked for.
    pub format: Format,
    /// The settings in `[relay]`.
    pub settings: &'a config::Relay,
    /// The function that writes an error in the middle of a stream: OpenAI's JSON.
    pub describe: fn(&UpstreamError) -> String,
    /// The permit that the answer is charged to.
    pub permit: Permit,
    /// The record that gets the usage.
    pub record: Record,
}

/// Waits for the provider and relays its answer. For a stream, the wait ends with the first keep-alive: the client then
/// has its head, and a later error becomes an event.
pub async fn relay(forwarding: Forwarding, mut manner: RelayContext<'_>) -> Result<Relayed, UpstreamError> {
    let mut forwarding = noted(forwarding, manner.record.clone());
    // A whole answer has no time limit here.
    let first = if manner.events {
        timeout(manner.settings.keep_alive, &mut forwarding).await.ok()
    } else {
        Some(forwarding.as_mut().await)
    };
    let first = first.transpose().inspect_err(|_| manner.permit.failed())?;
    manner.record.relaying();
    let (headers, relay) = match first {
        Some(reply) if !manner.events => return Ok(as_it_is(reply, manner)),
        Some(reply) => (reply.headers.clone(), Relay::of_reply(reply, manner)),
        None => (HeaderMap::new(), Relay::of_forwarding(forwarding, manner)),
    };
    Ok(Relayed::Events { headers, body: Box::pin(relay.into_stream()) })
}

/// Wraps `forwarding` to record the provider's request id when the provider answers, and the details of a refusal.
fn noted(forwarding: Forwarding, record: Record) -> Forwarding {
    Box::pin(async move {
        let reply = forwarding.await;
        record.provider_request_id(match &reply {
            Ok(reply) => reply.request_id.as_deref(),
            Err(error) => error.refused().and_then(|refused| refused.request_id.as_deref()),
        });
        if let Some(refused) = reply.as_ref().err().and_then(UpstreamError::refused) {
            record.provider_refused(refused.status.as_u16(), refused.kind.as_deref(), refused.code.as_deref());
        }
        reply
    })
}

fn as_it_is(reply: Reply, mut manner: RelayContext<'_>) -> Relayed {
    let headers = reply.headers.clone();
    match reply.answer {
        Answer::Whole { content_type, body } => {
            manner.record.provider_finished();
            // A transcript in a text format could contain anything, so only JSON is searched for usage.
            let report = if manner.format.is_json() { Report::of_json(&body) } else { Report::default() };
            manner.record.usage(report.usage);
            manner.permit.reported(report);
            manner.permit.answered();
            let usual = if manner.format.is_json() { "application/json" } else { "text/plain; charset=utf-8" };
            let content_type = content_type.unwrap_or(HeaderValue::from_static(usual));
            Relayed::Whole { headers, content_type, body }
        }
        // The provider streams although the client did not ask for it: relay the stream.
        Answer::Events { .. } => {
            Relayed::Events { headers, body: Box::pin(Relay::of_reply(reply, manner).into_stream()) }
        }
    }
}

/// Records the end of a stream, and its outcome.
fn ended(record: &Record, broken: bool) {
    record.provider_finished();
    record.outcome(if broken { Outcome::StreamBroken } else { Outcome::Answered });
}
