//! Providers: sends a job to one of them with the gateway's own key, to another if that fails, and reads the reply.
//!
//! This module knows jobs, models and providers. It knows neither callers nor HTTP as the gateway's clients see it.
//!
//! # Layout
//!
//! - `forward`: the attempts of one [`ForwardRequest`] (`request`) by the [`Upstream`] client (`client`)
//! - `piece_group`: what the pieces of one recording know of one another
//! - `attempt`: one attempt, from its lease to its result; `candidates`: the models and keys that a request can use;
//!   `retry`: the meaning of each failure; `backoff`: the waits between attempts
//! - `providers`: the state of a provider, which all requests share: `keyring` (its keys) and `breaker` (its circuit
//!   breaker), both with the pauses of `cooldown`; `snapshot`: that state for operators; `counts`: the metrics
//! - `wire` and `form`: the request to a provider; `transport`: the way there; `reuse` and `client_tls`: its connection
//! - `reply` and `refusal`: the provider's answer; `answer_budget`: the size of all answers to one request; `headers`: its headers; `chunks`: its body; `reason`: the reason in a
//!   refusal; `redact`: the removal of the key; `error`: the reasons why there is no answer

mod answer_budget;
mod attempt;
mod backoff;
mod breaker;
mod candidates;
mod chunks;
mod client;
mod client_tls;
mod cooldown;
mod counts;
mod error;
mod form;
mod forward;
mod headers;
mod keyring;
mod piece_group;
mod providers;
mod reason;
mod redact;
mod refusal;
mod reply;
mod request;
mod retry;
mod reuse;
mod snapshot;
#[cfg(test)]
mod testing;
mod transport;
mod wire;

pub use answer_budget::{AnswerBudget, AnswerBytes};
pub use backoff::retry_after;
pub use breaker::BreakerState;
pub use chunks::EventBytes;
pub use client::Upstream;
pub use client_tls::ClientTls;
pub(crate) use counts::count_stream_failure;
pub use error::{Refused, RefusedBody, UpstreamError};
pub use form::Form;
pub use headers::ALLOWED;
pub use keyring::{CandidateUnavailable, KeyState};
pub use piece_group::PieceGroup;
pub use providers::Providers;
pub use redact::{json_without_key, without_key};
pub use reply::{Answer, Reply, ReplyFuture, SendJob};
pub use request::{Deadline, ForwardRequest, Portion};
pub use snapshot::ProviderState;
pub use transport::{ProviderRequest, SendError, Transport};
pub use wire::check_request;

/// The value of `x-voxgate-provider` for the provider in this process.
pub const SANDBOX: &str = "sandbox";
