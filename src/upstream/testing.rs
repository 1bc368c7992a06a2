//! Providers in the process, for tests with paused time.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use reqwest::{Body, Response};
use tokio::time::Instant;
use url::Url;

use super::answer_budget::AnswerBudget;
use super::client::Upstream;
use super::error::UpstreamError;
use super::providers::Providers;
use super::request::{Deadline, ForwardRequest, Portion};
use super::transport::{ProviderRequest, SendError, Transport};
use crate::config::{self, Model, ProviderApi, ProviderKey};
use crate::domain::terms::Task;
use crate::domain::{AudioMs, Length};
use crate::fair_share::ShareKey;
use crate::intake::media::{Container, MediaInfo};
use crate::intake::{Job, Options, Spool, SpoolQuota, SpoolWriter};
use crate::models::{Attempts, Target, TargetChain, Way};
use crate::telemetry::traces::Span;

/// The behaviour of a provider towards a request.
#[derive(Debug)]
pub(super) enum Does {
    /// Reads the recording and answers with this status, headers and body.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Reads the recording and streams these events; `None` breaks the connection.
    Stream(Vec<Option<&'static str>>),
    /// Reads the recording, streams this event and falls silent.
    BeginStream(&'static str),
    /// Reads the recording and falls silent.
    FallSilent,
    /// Accepts the connection and reads nothing.
    ReadNothing,
    /// Closes the pooled connection before it reads anything.
    CloseStale,
    /// Refuses the connection.
    RefuseConnection,
}

/// A transcript.
pub(super) const OK: Does = Does::Answer(200, &[("content-type", "application/json")], r#"{"text":"hello"}"#);
pub(super) const ERROR: Does = Does::Answer(500, &[], "");

/// Providers that follow a script: each request gets the next step of it. Shows the providers that got a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(Rc<ScriptState>);

#[derive(Debug, Default)]
struct ScriptState {
    steps: RefCell<VecDeque<Does>>,
    asked: RefCell<Vec<String>>,
    timeouts: RefCell<Vec<Duration>>,
}

impl Script {
    pub(super) fn new(steps: impl IntoIterator<Item = Does>) -> Self {
        let script = Self::default();
        script.add(steps);
        script
    }

    pub(super) fn add(&self, steps: impl IntoIterator<Item = Does>) {
        self.0.steps.borrow_mut().extend(steps);
    }

    /// Returns the host and the key of each request so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.0.asked.borrow().clone()
    }

    /// Returns the time that each answer had to arrive in whole.
    pub(super) fn timeouts(&self) -> Vec<Duration> {
        self.0.timeouts.borrow().clone()
    }

    pub(super) fn client(&self, seed: u64) -> Upstream {
        Upstream::with(Box::new(self.clone()), fastrand::Rng::with_seed(seed), || SystemTime::UNIX_EPOCH)
    }

    async fn play(&self, request: ProviderRequest) -> Result<Response, SendError> {
        let key = request.headers.get("authorization").map_or("", |key| key.to_str().unwrap());
        let host = request.url.host_str().unwrap();
        self.0.asked.borrow_mut().push(format!("{host} {key}").trim().to_owned());
        self.0.timeouts.borrow_mut().push(request.timeout);
        let step = self.0.steps.borrow_mut().pop_front().expect("the script goes on");
        let fails = |error, was_stale| Err(SendError { error, cause: "as the script says".to_owned(), was_stale });
        match step {
            Does::CloseStale => return fails(UpstreamError::Broken, true),
            Does::RefuseConnection => return fails(UpstreamError::Unreachable, false),
            Does::ReadNothing => pending().await,
            _ => {}
        }
        let mut body = request.form.body;
        let mut length = 0;
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else { return fails(UpstreamError::Broken, false) };
            length += u64::try_from(chunk.len()).unwrap();
        }
        assert_eq!(length, request.form.length);
        match step {
            Does::Answer(status, headers, body) => Ok(response(status, headers, Body::from(body))),
            Does::Stream(events) => {
                let events = events.into_iter().map(|event| event.map(Bytes::from).ok_or(io::ErrorKind::BrokenPipe));
                // Each event comes in a packet of its own.
                let body = stream::iter(events).then(|event| async {
                    tokio::task::yield_now().await;
                    event.map_err(io::Error::from)
                });
                Ok(response(200, &[("content-type", "text/event-stream")], Body::wrap_stream(body)))
            }
            Does::BeginStream(event) => {
                let begun = stream::iter([Ok::<_, io::Error>(Bytes::from(event))]);
                let body = Body::wrap_stream(begun.chain(stream::pending()));
                Ok(response(200, &[("content-type", "text/event-stream")], body))
            }
            _ => pending().await,
        }
    }
}

impl Transport for Script {
    fn send(&self, request: ProviderRequest) -> LocalBoxFuture<'_, Result<Response, SendError>> {
        self.play(request).boxed_local()
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: Body) -> Response {
    let response =
        headers.iter().fold(http::Response::builder().status(status), |it, (name, value)| it.header(*name, *value));
    response.body(body).unwrap().into()
}

/// The settings of a provider at a host of its name, with this many keys.
pub(super) fn provider(name: &str, keys: usize) -> config::Provider {
    let key = |at: usize| ProviderKey {
        name: format!("{name}-{at}"),
        secret: format!("secret-{at}").into(),
        weight: NonZeroU32::MIN,
    };
    config::Provider {
        name: name.to_owned(),
        base_url: Url::parse(&format!("http://{name}/v1")).unwrap(),
        keys: (0..keys).map(key).collect(),
        organization: None,
        project: None,
        wire: ProviderApi::default(),
        accepts: None,
        max_bytes: None,
    }
}

/// Settings with three attempts and no circuit breaker.
pub(super) fn settings() -> config::Upstream {
    config::Upstream {
        response_timeout: Duration::from_mins(10),
        idle_timeout: Duration::from_mins(2),
        max_answer_bytes: 1024,
        max_attempts: 3,
        backoff: Duration::from_millis(250),
        max_backoff: Duration::from_secs(8),
        breaker: config::Breaker { failures: None, pause: Duration::from_secs(10) },
    }
}

/// Providers of these names, each with as many keys.
pub(super) fn providers(names: &[(&str, usize)], settings: &config::Upstream) -> Arc<Providers> {
    let all: BTreeMap<_, _> = names.iter().map(|(name, keys)| ((*name).to_owned(), provider(name, *keys))).collect();
    Arc::new(Providers::new(&all, settings))
}

fn quota() -> Arc<SpoolQuota> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "").unwrap();
    let settings = config::Settings::load(Some(file.path())).unwrap();
    SpoolQuota::new(&settings.fixed.spool, settings.intake.max_audio_bytes)
}

/// A recording that is still arriving, and the writer that its last bytes will come from.
pub(super) async fn arriving() -> (SpoolWriter, Spool) {
    let mut writer = SpoolWriter::new(&quota(), ShareKey::unique(), None).unwrap();
    writer.append(b"the beginning of a recording").await.unwrap();
    let spool = writer.early(100);
    (writer, spool)
}

pub(super) async fn recording() -> Spool {
    let mut writer = SpoolWriter::new(&quota(), ShareKey::unique(), None).unwrap();
    writer.append(b"a recording").await.unwrap();
    writer.finish().release()
}

/// A request for a transcript by the first of these providers, or by the others if that fails.
pub(super) fn request(audio: Spool, providers: &Arc<Providers>, names: &[&str]) -> (ForwardRequest, Attempts) {
    let length = Length::Measured(AudioMs::new(1000));
    let media =
        MediaInfo { container: Container::Wav, is_fragmented: false, codec: None, length, bytes: audio.length() };
    let references = Length::Measured(AudioMs::default());
    let job = Job { task: Task::Transcribe, options: Options::default(), audio, media, references };
    let model = |name: &&str| Arc::new(Model { provider: (*name).to_owned(), ..Model::unknown(name) });
    let (first, rest) = names.split_first().unwrap();
    let fallbacks = rest.iter().map(|name| Target { model: model(name), weight: None }).collect();
    let attempts = Attempts::default();
    let whole = Instant::now() + providers.settings.response_timeout;
    let request = ForwardRequest {
        portion: Portion::Whole,
        answers: AnswerBudget::new(providers.settings.max_answer_bytes),
        job,
        targets: TargetChain { requested: model(first), fallbacks, way: Way::AsIs, pieces: None },
        providers: Arc::clone(providers),
        request_id: "a-request".to_owned(),
        deadline: Deadline { whole, beginning: whole },
        log: attempts.begin_forwarding(),
        span: Span::default(),
    };
    (request, attempts)
}
