//! The way to the providers over the network, and the seam at which a simulator or a test takes its place.

use std::fmt;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Response};
use tokio::time::Instant;
use url::Url;

use super::client_tls::ClientTls;
use super::error::{UpstreamError, causes};
use super::form::Form;
use super::reuse;
use crate::config::Settings;

/// The time within which a closed connection shows. A connection that breaks later was open, and the provider may have
/// worked on what it received.
const SHOWS_STALE: Duration = Duration::from_secs(1);

/// A request to a provider: a POST with a form.
#[derive(Debug)]
pub struct ProviderRequest {
    /// The address.
    pub url: Url,
    /// All headers except those of the form.
    pub headers: HeaderMap,
    /// The time until the whole answer must have arrived.
    pub timeout: Duration,
    /// The form with the recording.
    pub form: Form,
}

/// The reason why a request got no response.
#[derive(Debug)]
pub struct SendError {
    /// The error.
    pub error: UpstreamError,
    /// Its cause, for the operator alone.
    pub cause: String,
    /// True if the provider had closed a pooled connection before the request reached it, which is no failure.
    pub was_stale: bool,
}

/// A way to send requests to providers.
pub trait Transport: fmt::Debug {
    /// Sends a request and waits for the head of the response. Dropping the future, or the response, cancels the
    /// request.
    fn send(&self, request: ProviderRequest) -> LocalBoxFuture<'_, Result<Response, SendError>>;
}

/// The network.
#[derive(Debug)]
pub(super) struct Network {
    client: reqwest::Client,
}

impl Network {
    pub(super) fn new(settings: &Settings, tls: &ClientTls) -> Result<Self, reqwest::Error> {
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

    async fn post(&self, request: ProviderRequest) -> Result<Response, SendError> {
        let ProviderRequest { url, headers, timeout, form } = request;
        let since = Instant::now();
        let request = self.client.post(url).headers(headers).timeout(timeout);
        let request = request.header(CONTENT_TYPE, form.content_type).header(CONTENT_LENGTH, form.length);
        let (response, was_reused) = reuse::tracked(request.body(Body::wrap_stream(form.body)).send()).await;
        response.map_err(|error| SendError {
            was_stale: was_reused && !error.is_timeout() && since.elapsed() <= SHOWS_STALE,
            cause: causes(&error),
            error: UpstreamError::classify(&error),
        })
    }
}

impl Transport for Network {
    fn send(&self, request: ProviderRequest) -> LocalBoxFuture<'_, Result<Response, SendError>> {
        self.post(request).boxed_local()
    }
}
