//! Who does the work? Builds the form that OpenAI's API takes, sends it with the server's own key, reads what comes back.
//!
//! This room knows jobs, models and providers. It knows neither callers nor HTTP as the gateway's clients see it.

mod error;
mod form;
mod refusal;
mod reply;
mod secret_trace;
mod sent;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use error::UpstreamError;
pub use refusal::{Refused, RefusedBody};
pub use reply::{Answer, EventBytes, Reply};
pub use secret_trace::{json_without_key, without_key};
pub use sent::Sent;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;

use crate::config::{self, Model, Provider, Settings};
use crate::intake::Job;

/// What `x-voxgate-provider` says of the provider that is in this process.
pub const SANDBOX: &str = "sandbox";

/// Forwards jobs. Each worker thread has one of its own, with its own pool of connections: a request stays on its
/// thread, and a worker that stops takes no connection away from another.
#[derive(Debug)]
pub struct Upstream {
    client: reqwest::Client,
    providers: Arc<BTreeMap<String, Provider>>,
    settings: config::Upstream,
    max_answer_bytes: usize,
}

impl Upstream {
    /// A client for the providers of these settings.
    pub fn new(settings: &Settings, providers: Arc<BTreeMap<String, Provider>>) -> Result<Self, reqwest::Error> {
        let limits = &settings.upstream;
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("voxgate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect_timeout)
            .pool_idle_timeout(limits.pool_idle_timeout)
            .tcp_nodelay(true)
            // A redirect would carry the recording, and the key, to where nobody configured it.
            .redirect(reqwest::redirect::Policy::none());
        if settings.uses_sandbox() {
            // The sandbox is on this machine's loopback address; a proxy of the environment is not.
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build()?,
            providers,
            settings: limits.clone(),
            max_answer_bytes: limits.max_answer_bytes,
        })
    }

    /// Sends `job` to the provider of `model` and waits for the head of its answer, and for the whole answer where it is
    /// not a stream. `sent` is set when the whole recording is on its way. Dropping the future, or the stream in the reply,
    /// cancels the provider's request.
    pub async fn forward(
        &self,
        job: &Job,
        model: &Model,
        request_id: &str,
        sent: Sent,
    ) -> Result<Reply, UpstreamError> {
        let provider = self.providers.get(&model.provider).ok_or(UpstreamError::NoProvider)?;
        let stream = job.options.stream && model.streams;
        let url = format!("{}/audio/{}", provider.base_url, job.task.path());
        let request = self
            .client
            .post(url)
            .headers(headers(provider, request_id)?)
            .multipart(form::build(job, model, stream, sent)?)
            .timeout(self.settings.response_timeout);
        let response = request.send().await.map_err(|error| UpstreamError::of(&error))?;
        if response.status() == StatusCode::OK {
            reply::read(response, provider, stream, self.settings.idle_timeout, self.max_answer_bytes).await
        } else {
            Err(UpstreamError::Refused(Box::new(refusal::read(response, provider).await)))
        }
    }
}

/// Everything that a provider is sent besides the form. Nothing in it comes from the client.
fn headers(provider: &Provider, request_id: &str) -> Result<HeaderMap, UpstreamError> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| UpstreamError::BadHeader);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    // Answers are read for their usage and passed on byte for byte; a compressed one would be neither.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert("x-client-request-id", value(request_id)?);
    if let Some(key) = &provider.api_key {
        let mut bearer = value(&format!("Bearer {}", key.expose_secret()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    for (name, text) in [("openai-organization", &provider.organization), ("openai-project", &provider.project)] {
        if let Some(text) = text {
            headers.insert(name, value(text)?);
        }
    }
    Ok(headers)
}
