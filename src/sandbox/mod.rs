//! A provider inside this process, for a first test without a key.
//!
//! The sandbox speaks OpenAI's protocol over a real loopback connection, so that a request takes the gateway's whole
//! path: it checks the key, parses the form, measures the audio, and answers in every format, streams included. It does
//! not recognise speech: its text says so, and states the measurements.

mod answers;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::task::JoinHandle;
use url::Url;

use crate::config::{self, OPENAI, Provider, ProviderApi, ProviderKey, Settings};
use crate::domain::terms::Task;
use crate::fair_share::ShareKey;
use crate::intake::{self, BodyForm, Incoming};
use crate::upstream::SANDBOX;

/// A running sandbox.
pub struct Sandbox {
    base_url: Url,
    key: SecretString,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

/// The address and key of a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxProvider {
    base_url: Url,
    key: SecretString,
}

impl SandboxProvider {
    /// Returns these providers with the sandbox in place of OpenAI.
    pub fn in_place_of_openai(&self, providers: &BTreeMap<String, Provider>) -> BTreeMap<String, Provider> {
        let mut providers = providers.clone();
        if let Some(openai) = providers.get_mut(OPENAI) {
            SANDBOX.clone_into(&mut openai.name);
            openai.base_url = self.base_url.clone();
            openai.keys = vec![ProviderKey::only(self.key.clone())];
            (openai.organization, openai.project, openai.wire) = (None, None, ProviderApi::default());
        }
        providers
    }
}

/// The state that the sandbox's handlers share.
struct SandboxState {
    key: SecretString,
    intake: config::Intake,
    shared: intake::Shared,
    event_delay: Duration,
}

impl Sandbox {
    /// Starts a sandbox on a free loopback port, with a new random key.
    pub fn start(settings: &Settings) -> io::Result<Self> {
        let key = SecretString::from(format!("sandbox-{}", uuid::Uuid::new_v4().simple()));
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base_url = format!("http://{}/v1", socket.local_addr()?);
        let state = Data::new(SandboxState {
            key: key.clone(),
            intake: settings.intake.clone(),
            shared: intake::Shared::new(&settings.fixed.spool, settings.intake.max_audio_bytes)?,
            event_delay: settings.fixed.sandbox.event_delay,
        });
        let server = HttpServer::new(move || App::new().app_data(state.clone()).configure(routes));
        let server: Server = server.workers(1).disable_signals().shutdown_timeout(1).listen(socket)?.run();
        Ok(Self {
            base_url: Url::parse(&base_url).map_err(io::Error::other)?,
            key,
            handle: server.handle(),
            running: tokio::spawn(server),
        })
    }

    /// Returns the sandbox's address and key.
    pub fn provider(&self) -> SandboxProvider {
        SandboxProvider { base_url: self.base_url.clone(), key: self.key.clone() }
    }

    /// Stops the sandbox.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the sandbox failed");
        }
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/v1/audio/transcriptions", web::post().to(transcribe))
        .route("/v1/audio/translations", web::post().to(translate));
}

async fn transcribe(request: HttpRequest, body: Payload, state: Data<SandboxState>) -> HttpResponse {
    work(Task::Transcribe, &request, body, &state).await
}

async fn translate(request: HttpRequest, body: Payload, state: Data<SandboxState>) -> HttpResponse {
    work(Task::Translate, &request, body, &state).await
}

async fn work(task: Task, request: &HttpRequest, body: Payload, state: &SandboxState) -> HttpResponse {
    let expected = format!("Bearer {}", state.key.expose_secret());
    let given = request.headers().get(AUTHORIZATION).map(actix_web::http::header::HeaderValue::as_bytes);
    if given != Some(expected.as_bytes()) {
        return HttpResponse::Unauthorized().json(error("Incorrect API key provided.", "invalid_api_key"));
    }
    let incoming = Incoming {
        task,
        form: BodyForm::Multipart,
        declared: None,
        headers: request.headers(),
        query: request.query_string(),
        // The gateway is the only client, and has already divided its capacity among the callers.
        key: ShareKey::unique(),
        body,
    };
    match intake::take_in(&state.intake, &state.shared, incoming).whole().await {
        Ok(job) => answers::answer(&job, state.event_delay),
        Err(problem) => HttpResponse::BadRequest().json(error(&problem.to_string(), "invalid_value")),
    }
}

fn error(message: &str, code: &str) -> serde_json::Value {
    json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code } })
}
