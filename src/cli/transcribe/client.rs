//! A client of a gateway.

use std::cell::RefCell;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::multipart::Form;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;

use super::address::GatewayAddress;
use super::answer::{MAX_ERROR_BYTES, read_body};
use super::error::TranscribeError;
use super::refusal::Refusal;
use super::token_source::{TokenError, authorization};
use crate::cli::reach::unreachable;
use crate::upstream::SANDBOX;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for the list of models, which a gateway has in memory.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// The interval at which the system asks if a silent gateway is still there: an answer may take an hour.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The header with the provider that answered.
const PROVIDER: &str = "x-voxgate-provider";
/// The header with the time that a client allows.
const REQUEST_TIMEOUT: &str = "x-request-timeout-ms";

/// The reason why a gateway cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// No HTTP client can be made, for example for lack of trusted certificates.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no token that can be sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The gateway gives no answer.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable {
        /// The address.
        address: String,
        /// The reason.
        reason: String,
    },
    /// The gateway refuses the token.
    #[error("{address}: {refusal}")]
    Refused {
        /// The address.
        address: String,
        /// The gateway's error.
        refusal: Box<Refusal>,
    },
    /// Something answers that is no gateway.
    #[error("{0} answers, but not with a list of models: it is no Voxgate gateway, or a page on the way wants a login")]
    NoGateway(String),
    /// The gateway has no provider.
    #[error("{0} answers from its sandbox, which recognises no speech: its operator has to set a provider's key")]
    Sandbox(String),
}

/// A client of one gateway.
#[derive(Debug)]
pub(super) struct GatewayClient {
    http: Client,
    address: GatewayAddress,
    authorization: RefCell<HeaderValue>,
    /// The models that only the gateway's sandbox has.
    of_sandbox: Vec<String>,
}

/// The list of models, as far as it matters here.
#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(default)]
    owned_by: String,
}

impl GatewayClient {
    /// Creates a client of the gateway in this process, past any proxy.
    pub(super) fn of_this_process(address: GatewayAddress, token: &SecretString) -> Result<Self, ClientError> {
        Self::new(Client::builder().no_proxy(), address, token)
    }

    /// Creates a client of another gateway. One on this machine is asked past any proxy, which would get the token.
    pub(super) fn of_another(address: GatewayAddress, token: &SecretString) -> Result<Self, ClientError> {
        let builder = if address.is_on_this_machine() { Client::builder().no_proxy() } else { Client::builder() };
        Self::new(builder, address, token)
    }

    fn new(
        builder: reqwest::ClientBuilder,
        address: GatewayAddress,
        token: &SecretString,
    ) -> Result<Self, ClientError> {
        let authorization = RefCell::new(authorization(token)?);
        let builder = builder
            .user_agent(concat!("voxgate/", env!("CARGO_PKG_VERSION")))
            // The token must not go elsewhere.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(TCP_KEEPALIVE)
            // A connection that a network has lost is found out, and not used again.
            .http2_keep_alive_interval(TCP_KEEPALIVE)
            .http2_keep_alive_timeout(CONNECT_TIMEOUT);
        Ok(Self { http: builder.build()?, address, authorization, of_sandbox: Vec::new() })
    }

    /// Checks that the gateway can be reached, takes the token, and can recognise speech with `model`, before anything is
    /// sent. A gateway without a list of models is not asked for more.
    pub(super) async fn checked(mut self, model: Option<&str>) -> Result<Self, ClientError> {
        let url = self.address.of("/v1/models");
        let answer = self.http.get(url.clone()).header(AUTHORIZATION, self.authorization()).timeout(LIST_TIMEOUT);
        let response = answer.send().await.map_err(|error| self.unreachable(unreachable(&error, &url)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(response, MAX_ERROR_BYTES).await.map_err(|error| self.unreachable(error.to_string()))?;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return Ok(self);
        }
        if !status.is_success() {
            let refusal = Box::new(Refusal::read(&body, Some(status), &headers));
            return Err(ClientError::Refused { address: self.address.to_string(), refusal });
        }
        let Ok(Models { data: models }) = serde_json::from_slice::<Models>(&body) else {
            return Err(ClientError::NoGateway(self.address.to_string()));
        };
        let all = models.len();
        self.of_sandbox = models.into_iter().filter(|row| row.owned_by == SANDBOX).map(|row| row.id).collect();
        let is_sandbox_alone = !self.of_sandbox.is_empty() && self.of_sandbox.len() == all;
        if is_sandbox_alone || model.is_some_and(|name| self.is_of_sandbox(name)) {
            return Err(ClientError::Sandbox(self.address.to_string()));
        }
        Ok(self)
    }

    fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable { address: self.address.to_string(), reason }
    }

    /// True if transcripts may be asked for as streams: the head of a stream says for sure which provider answers. It may go
    /// out before a provider answers; then a gateway that has a sandbox names that.
    pub(super) fn may_stream(&self) -> bool {
        self.of_sandbox.is_empty()
    }

    /// Returns true if only the gateway's sandbox has this model.
    pub(super) fn is_of_sandbox(&self, model: &str) -> bool {
        self.of_sandbox.iter().any(|name| name == model)
    }

    /// Begins a request to a path of the API, with the token.
    pub(super) fn request(&self, method: Method, path: &str, query: Option<&str>) -> RequestBuilder {
        let mut url = self.address.of(path);
        url.set_query(query);
        self.http.request(method, url).header(AUTHORIZATION, self.authorization())
    }

    /// Goes on with this token. Returns false if it is the one in use.
    pub(super) fn renew(&self, token: &SecretString) -> Result<bool, TokenError> {
        let renewed = authorization(token)?;
        let used = self.authorization.replace(renewed.clone());
        Ok(used != renewed)
    }

    fn authorization(&self) -> HeaderValue {
        self.authorization.borrow().clone()
    }

    /// Explains why a request got no answer.
    pub(super) fn explain(&self, error: &reqwest::Error) -> String {
        unreachable(error, &self.address.of("/"))
    }

    /// Sends a form with a recording, and returns the answer, whatever its status.
    pub(super) async fn send(&self, form: Form, timeout: Option<Duration>) -> Result<Response, TranscribeError> {
        let url = self.address.of("/v1/audio/transcriptions");
        let request = self.http.post(url.clone()).header(AUTHORIZATION, self.authorization()).multipart(form);
        let response = with_timeout(request, timeout).send().await;
        response.map_err(|error| TranscribeError::NoAnswer(unreachable(&error, &url)))
    }
}

/// Tells the gateway how long its client waits, so that it does not work for nobody.
fn with_timeout(request: RequestBuilder, timeout: Option<Duration>) -> RequestBuilder {
    match timeout {
        Some(timeout) => request.header(REQUEST_TIMEOUT, timeout.as_millis().to_string()),
        None => request,
    }
}

/// Returns true if a sandbox gave an answer with this head.
pub(super) fn is_of_sandbox(headers: &HeaderMap) -> bool {
    headers.get(PROVIDER).is_some_and(|provider| provider == SANDBOX)
}
