//! Providers: sends a job to one with the server's own key, to another where that fails, and reads the reply.
//!
//! It knows jobs, models and providers. It knows neither callers nor HTTP as the gateway's clients see it.
//!
//! # Layout
//!
//! - `forward`: the attempts of one request; `candidates`: the models and keys that it can use; `retry`: the meaning of each
//!   failure; `backoff`: the waits between attempts
//! - `providers`: the state of a provider, which all requests share: `keyring` (its keys) and `breaker` (its circuit breaker), both
//!   with the pauses of `cooldown`; `snapshot`: that state for operators
//! - `wire` and `form`: the request to a provider; `reuse`: its connection
//! - `reply` and `refusal`: the provider's answer; `reason`: the reason in it; `redact`: removes the key from it

mod backoff;
mod breaker;
mod chunks;
mod error;
mod form;
mod keyring;
mod cooldown;
mod reuse;
mod providers;
mod reason;
mod refusal;
mod reply;
mod candidates;
mod redact;
mod snapshot;
mod forward;
mod retry;
mod wire;

pub use error::UpstreamError;
pub use keyring::CandidateUnavailable;
pub use providers::Providers;
pub use refusal::{Refused, RefusedBody};
pub use reply::{ALLOWED, Answer, EventBytes, Reply, without_mark};
pub use redact::{json_without_key, without_key};
pub use snapshot::{BreakerState, KeyState, ProviderState};
pub use forward::{Deadline, ForwardRequest};

use reqwest::RequestBuilder;
use secrecy::SecretString;

use crate::config::{self, Settings};

/// What `x-voxgate-provider` says of the provider that is in this process.
pub const SANDBOX: &str = "sandbox";

/// Forwards jobs. Each worker thread has one of its own, with its own pool of connections: a request stays on its
/// thread, and a worker that stops takes no connection away from another. What is known of the providers they share.
#[derive(Debug)]
pub struct Upstream {
    client: reqwest::Client,
}

impl Upstream {
    /// A client for providers. These settings of it stay as they are.
    pub fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let limits = &settings.upstream;
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("voxgate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect_timeout)
            .pool_idle_timeout(limits.pool_idle_timeout)
            .tcp_nodelay(true)
            .connector_layer(pooled::TrackReuseLayer)
            // What is tried again, and when, is decided here.
            .retry(reqwest::retry::never())
            // A redirect would carry the recording, and the key, to where nobody configured it.
            .redirect(reqwest::redirect::Policy::none());
        if settings.uses_sandbox() {
            // The sandbox is on this machine's loopback address; a proxy of the environment is not.
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()? })
    }
}

/// The request by which it can be seen whether a provider accepts a key: one that costs nothing.
pub fn check_request(
    client: &reqwest::Client,
    provider: &config::Provider,
    key: Option<&SecretString>,
) -> Result<RequestBuilder, UpstreamError> {
    Ok(client.get(wire::check_url(provider)?).headers(wire::credentials(provider, key)?))
}
