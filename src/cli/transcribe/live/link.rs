//! The requests of a live session, each sent until the gateway answers it.

use std::cell::Cell;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use super::super::answer::read_body;
use super::super::client::GatewayClient;
use super::answer::{Answer, Verdict};
use super::error::LiveError;
use super::outage::Outage;
use super::piece::Piece;
use super::report::Report;
use super::token_renewal::TokenRenewal;

/// The time for an answer, or for the head of one. A network that is away loses requests without a word.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The time after which a gateway that does not answer is given up: before the first session, and after that.
const MAX_OPENING: Duration = Duration::from_mins(2);
pub(super) const MAX_OUTAGE: Duration = Duration::from_hours(1);
/// The time for giving up a session that nobody waits for.
const DELETE_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest answer to a request, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A connection to a gateway, as far as there is one.
pub(super) struct Link<'a> {
    client: &'a GatewayClient,
    report: &'a Report,
    token: TokenRenewal<'a>,
    /// True if it was said that the gateway takes pieces later.
    has_told_later: Cell<bool>,
}

impl<'a> Link<'a> {
    pub(super) fn new(client: &'a GatewayClient, report: &'a Report, token: TokenRenewal<'a>) -> Self {
        Self { client, report, token, has_told_later: Cell::new(false) }
    }

    /// Returns true if the gateway recognises no speech with this model.
    pub(super) fn is_of_sandbox(&self, model: &str) -> bool {
        self.client.is_of_sandbox(model)
    }

    /// Asks for a session. Of a run that has not begun, a person learns soon that it cannot.
    pub(super) async fn open(&self, members: &Map<String, Value>, has_begun: bool) -> Result<Answer, LiveError> {
        let body = Value::Object(members.clone()).to_string();
        let mut outage = Outage::new(&self.report.display, if has_begun { MAX_OUTAGE } else { MAX_OPENING });
        loop {
            let request = || {
                let request = self.client.request(Method::POST, "/v1/live", None);
                request.header(CONTENT_TYPE, "application/json").body(body.clone())
            };
            let asked = self.try_once(&request, StatusCode::CREATED).await;
            let failed = match asked {
                Ok(answer) => {
                    outage.answered();
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            let wait = failed.wait.or(failed.later);
            let waited = outage.wait(&failed.reason, wait).await;
            match (waited, failed.refused) {
                (Err(_), Some(answer)) => return Ok(answer),
                (waited, _) => waited?,
            }
        }
    }

    /// Sends a piece of a session.
    pub(super) async fn send(&self, id: &str, piece: &Piece) -> Result<Answer, LiveError> {
        let (path, query) = (format!("/v1/live/{id}/audio"), format!("seq={}", piece.seq));
        let request = || {
            let request = self.client.request(Method::POST, &path, Some(&query));
            request.header(CONTENT_TYPE, "application/octet-stream").body(piece.bytes.clone())
        };
        self.ask(StatusCode::ACCEPTED, request).await
    }

    /// Ends a session.
    pub(super) async fn end(&self, id: &str) -> Result<Answer, LiveError> {
        let path = format!("/v1/live/{id}/end");
        self.ask(StatusCode::ACCEPTED, || self.client.request(Method::POST, &path, None)).await
    }

    /// Gives a session up, if the gateway can be reached. One that is not given up ends by itself.
    pub(super) async fn delete(&self, id: &str) {
        let request = self.client.request(Method::DELETE, &format!("/v1/live/{id}"), None);
        let _ = timeout(DELETE_TIMEOUT, request.send()).await;
    }

    /// Asks for the events of a session behind the one with the id `after`, once.
    pub(super) async fn events(&self, id: &str, after: Option<&str>) -> Result<Response, String> {
        loop {
            let renewals = self.token.so_far();
            let mut request = self.client.request(Method::GET, &format!("/v1/live/{id}/events"), None);
            if let Some(after) = after {
                request = request.header("last-event-id", after);
            }
            match timeout(ANSWER_TIMEOUT, request.send()).await {
                Ok(Ok(response)) if response.status() == StatusCode::UNAUTHORIZED => {
                    if !self.token.is_renewed(renewals, self.client, self.report) {
                        return Ok(response);
                    }
                }
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(self.client.explain(&error)),
                Err(_) => return Err(no_answer()),
            }
        }
    }

    /// Sends a request until the gateway answers it.
    async fn ask(&self, success: StatusCode, request: impl Fn() -> RequestBuilder) -> Result<Answer, LiveError> {
        let mut outage = Outage::new(&self.report.display, MAX_OUTAGE);
        loop {
            match self.try_once(&request, success).await {
                Ok(answer) => {
                    outage.answered();
                    return Ok(answer);
                }
                Err(Failed { later: Some(wait), reason, .. }) => {
                    outage.answered();
                    if !self.has_told_later.replace(true) {
                        self.report.display.note(&format!("the gateway takes the sound more slowly: {reason}"));
                    }
                    sleep(wait).await;
                }
                Err(Failed { reason, wait, .. }) => outage.wait(&reason, wait).await?,
            }
        }
    }

    /// Sends a request once, or once more for each token that takes the place of a refused one.
    async fn try_once(&self, request: &impl Fn() -> RequestBuilder, success: StatusCode) -> Result<Answer, Failed> {
        loop {
            let renewals = self.token.so_far();
            let answer = self.send_once(request(), success).await?;
            let is_refused = answer.status == StatusCode::UNAUTHORIZED;
            if !is_refused || !self.token.is_renewed(renewals, self.client, self.report) {
                return Ok(answer);
            }
        }
    }

    async fn send_once(&self, request: RequestBuilder, success: StatusCode) -> Result<Answer, Failed> {
        let asked = timeout(ANSWER_TIMEOUT, async {
            let response = request.send().await.map_err(|error| self.client.explain(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = read_body(response, MAX_ANSWER_BYTES).await.map_err(|error| error.to_string())?;
            Ok(Answer { status, headers, body })
        });
        let answer = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(reason)) => return Err(Failed { reason, later: None, wait: None, refused: None }),
            Err(_) => return Err(Failed { reason: no_answer(), later: None, wait: None, refused: None }),
        };
        let (later, wait) = match answer.verdict(success) {
            Verdict::Final => return Ok(answer),
            Verdict::Later(wait) => (Some(wait), None),
            Verdict::Failed { wait } => (None, wait),
        };
        Err(Failed { reason: answer.refusal().to_string(), later, wait, refused: Some(answer) })
    }
}

/// A request that is to be sent again.
struct Failed {
    reason: String,
    /// The wait that a gateway asks for that works.
    later: Option<Duration>,
    /// The wait that a gateway asks for that does not.
    wait: Option<Duration>,
    refused: Option<Answer>,
}

fn no_answer() -> String {
    format!("no answer in {}", humantime::format_duration(ANSWER_TIMEOUT))
}
