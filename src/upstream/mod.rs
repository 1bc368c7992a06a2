//! Providers: sends a job to one of them with the gateway's own key, to another if that fails, and reads the reply.
//!
//! This module knows jobs, models and providers. It knows neither callers nor HTTP as the gateway's clients see it.
//!
//! # Layout
//!
//! - `forward`: the attempts of one request; `candidates`: the models and keys that it can use; `retry`: the meaning of
//!   each failure; `backoff`: the waits between attempts
//! - `providers`: the state of a provider, which all requests share: `keyring` (its keys) and `breaker` (its circuit
//!   breaker), both with the pauses of `cooldown`; `snapshot`: that state for operators
//! - `wire` and `form`: the request to a provider; `reuse`: its connection
//! - `reply` and `refusal`: the provider's answer; `chunks`: its body; `reason`: the reason in a refusal; `redact`: the
//!   removal of the key; `error`: the reasons why there is no answer

mod backoff;
mod breaker;
mod candidates;
mod chunks;
mod client_tls;
mod cooldown;
mod error;
mod form;
mod forward;
mod keyring;
mod providers;
mod reason;
mod redact;
mod refusal;
mod reply;
mod retry;
mod reuse;
mod snapshot;
mod wire;

pub use client_tls::ClientTls;
pub use error::UpstreamError;
pub use forward::{Deadline, ForwardRequest};
pub use keyring::CandidateUnavailable;
pub use providers::Providers;
pub use redact::{json_without_key, without_key};
pub use refusal::{Refused, RefusedBody};
pub use reply::{ALLOWED, Answer, EventBytes, Reply, without_mark};
pub use snapshot::{BreakerState, KeyState, ProviderState};

use reqwest::RequestBuilder;
use secrecy::SecretString;

use crate::config::{self, Settings};

/// The value of `x-voxgate-provider` for the provider in this process.
pub const SANDBOX: &str = "sandbox";

/// The client for providers. Each worker thread has its own, with its own connection pool: a request stays on its thread,
/// and a worker that stops takes no connection away from another. All workers share the state of the providers.
#[derive(Debug)]
pub struct Upstream {
    client: reqwest::Client,
}

impl Upstream {
    /// Creates a client for providers. The settings that it reads need a restart to change.
    pub fn new(settings: &Settings, tls: &ClientTls) -> Result<Self, reqwest::Error> {
        let limits = &settings.fixed.connections;
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("voxgate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect_timeout)
            .pool_idle_timeout(limits.pool_idle_timeout)
            .tcp_nodelay(true)
            .tls_backend_preconfigured(tls.config())
            .connector_layer(reuse::TrackReuseLayer)
            // This module decides on all retries.
            .retry(reqwest::retry::never())
            // A redirect would carry the recording and the key to an address that is not in the settings.
            .redirect(reqwest::redirect::Policy::none());
        if settings.uses_sandbox() {
            // The sandbox is on this machine's loopback address; a proxy from the environment is not.
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()? })
    }
}

/// Builds the request that shows whether a provider accepts a key. The request costs nothing.
pub fn check_request(
    client: &reqwest::Client,
    provider: &config::Provider,
    key: Option<&SecretString>,
) -> Result<RequestBuilder, UpstreamError> {
    Ok(client.get(wire::check_url(provider)?).headers(wire::credentials(provider, key)?))
}
