//! An OpenTelemetry collector: it takes traces over OTLP/HTTP, refuses them, or keeps whoever brings them waiting.
//!
//! When a [`Collector`] is dropped, everything that it was sent is searched for what must never be in a trace.

use std::collections::HashMap;
use std::fmt::Write;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Mutex;

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, PayloadConfig, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use memchr::memmem;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message;
use serde_json::{Value, json};

use crate::support::gateway::PROMPT;
use crate::support::provider::{OF_EVERY_KEY, TRANSCRIPT};
use crate::support::token;

/// How it behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    Takes,
    /// It does not know who we are.
    Refuses,
    /// It never answers.
    Hangs,
}

/// A span, as far as the tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) state: String,
    pub(crate) kind: otlp::span::SpanKind,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) failed: bool,
    /// What the status says.
    pub(crate) message: String,
    pub(crate) attributes: HashMap<String, Value>,
    pub(crate) events: Vec<String>,
}

struct State {
    conduct: Mutex<Conduct>,
    /// Every body that came.
    bodies: Mutex<Vec<Bytes>>,
    /// The head of each.
    headers: Mutex<Vec<String>>,
    spans: Mutex<Vec<Span>>,
    resource: Mutex<HashMap<String, Value>>,
}

pub(crate) struct Collector {
    address: SocketAddr,
    state: Data<State>,
    server: ServerHandle,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::that(Conduct::Takes)
    }

    pub(crate) fn that(conduct: Conduct) -> Self {
        let state = Data::new(State {
            conduct: Mutex::new(conduct),
            bodies: Mutex::default(),
            headers: Mutex::default(),
            spans: Mutex::default(),
            resource: Mutex::default(),
        });
        let shared = state.clone();
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let app = App::new().app_data(shared.clone()).app_data(PayloadConfig::new(1 << 26));
                    app.route("/v1/traces", post().to(take))
                });
                let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
                let address = server.addrs()[0];
                let running = server.run();
                told.send((address, running.handle())).unwrap();
                running.await.unwrap();
            });
        });
        let (address, server) = heard.recv().unwrap();
        Self { address, state, server }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn conducts_itself(&self, conduct: Conduct) {
        *self.state.conduct.lock().unwrap() = conduct;
    }

    /// How many batches have come.
    pub(crate) fn batches(&self) -> usize {
        self.state.bodies.lock().unwrap().len()
    }

    /// The lines of each head so far.
    pub(crate) fn headers(&self) -> Vec<String> {
        self.state.headers.lock().unwrap().clone()
    }

    /// Every span that was taken.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.state.spans.lock().unwrap().clone()
    }

    /// What the gateway says of itself.
    pub(crate) fn resource(&self) -> HashMap<String, Value> {
        self.state.resource.lock().unwrap().clone()
    }
}

async fn take(request: HttpRequest, body: Bytes, state: Data<State>) -> HttpResponse {
    state.bodies.lock().unwrap().push(body.clone());
    let lines = request.headers().iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    state.headers.lock().unwrap().push(lines.collect());
    let conduct = *state.conduct.lock().unwrap();
    match conduct {
        Conduct::Takes => {}
        Conduct::Refuses => return HttpResponse::Unauthorized().finish(),
        Conduct::Hangs => pending().await,
    }
    let batch = ExportTraceServiceRequest::decode(body).unwrap();
    for of_resource in batch.resource_spans {
        *state.resource.lock().unwrap() = attributes(&of_resource.resource.unwrap().attributes);
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        state.spans.lock().unwrap().extend(spans.map(Span::of));
    }
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

impl Span {
    fn of(span: otlp::Span) -> Self {
        let (kind, status) = (span.kind(), span.status.unwrap_or_default());
        Self {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            state: span.trace_state,
            kind,
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            failed: status.code() == otlp::status::StatusCode::Error,
            message: status.message,
            attributes: attributes(&span.attributes),
            events: span.events.into_iter().map(|event| event.name).collect(),
            name: span.name,
        }
    }
}

fn attributes(pairs: &[KeyValue]) -> HashMap<String, Value> {
    let value = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::BoolValue(is)) => json!(is),
        other => panic!("{}: {other:?}", pair.key),
    };
    pairs.iter().map(|pair| (pair.key.clone(), value(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It ends by itself; nobody waits for it.
        drop(self.server.stop(false));
        if std::thread::panicking() {
            return;
        }
        let secrets = [OF_EVERY_KEY, token::SECRET, TRANSCRIPT, PROMPT, "eyJ", "UklGR", "alice", "my-diary"];
        for body in self.state.bodies.lock().unwrap().iter() {
            for secret in secrets {
                assert!(memmem::find(body, secret.as_bytes()).is_none(), "{secret} is in a trace");
            }
        }
    }
}
