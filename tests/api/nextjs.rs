//! The routes of `deploy/nextjs`, run by Node before a real gateway. The tests are their page.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::stream;
use reqwest::{Body, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::gateway::{Answer, Events, Gateway, Log, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply, events};
use crate::support::tools::{TOOLS, require_tool};
use crate::support::{audio, repository, token};

const SESSION: &str = "/api/voxgate/session";
const TRANSCRIBE: &str = "/api/voxgate/transcribe";

/// Where the page is, as the routes are told.
const ORIGIN: &str = "https://app.example.com";

/// What of the long-lived token nobody else has.
fn signature(token: &str) -> String {
    token.rsplit_once('.').unwrap().1.to_owned()
}

fn backend() -> String {
    token::with(&json!({ "sub": "web", "scope": "sessions transcribe" }))
}

/// The server of the page, which runs until it is dropped.
struct Server {
    origin: String,
    token: String,
    client: reqwest::Client,
    heard: Mutex<String>,
    child: Child,
    /// It ends when this does.
    _stdin: ChildStdin,
    logs: [Log; 2],
}

impl Server {
    /// One where `carol` is logged in.
    async fn of(gateway: &Gateway) -> Option<Self> {
        Self::with(gateway, &[]).await
    }

    /// The same with these variables changed; an empty one is not set.
    async fn with(gateway: &Gateway, changes: &[(&str, &str)]) -> Option<Self> {
        let node = require_tool(".test-tools/node", TOOLS)?;
        let token = backend();
        let url = gateway.url("");
        let mut command = Command::new(node);
        command.arg(repository::path("tests/sdk/node/nextjs.mjs")).env_clear().envs([
            ("VOXGATE_URL", url.as_str()),
            ("VOXGATE_BACKEND_TOKEN", &token),
            ("VOXGATE_DEMO_USER", "carol"),
            ("NODE_ENV", "development"),
            ("APP_ORIGIN", ORIGIN),
        ]);
        for (name, value) in changes {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let logs = [Log::of(child.stdout.take().unwrap()), Log::of(child.stderr.take().unwrap())];
        let listens = |line: &str| line.strip_prefix("listening on ").map(str::to_owned);
        let port = logs[0].find("where it listens", listens).await;
        Some(Self {
            origin: format!("http://127.0.0.1:{port}"),
            token,
            client: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap(),
            heard: Mutex::default(),
            _stdin: child.stdin.take().unwrap(),
            child,
            logs,
        })
    }

    /// A request as a browser sends it from the page of the application.
    fn post(&self, path: &str) -> RequestBuilder {
        self.post_from(path, Some(ORIGIN))
    }

    fn post_from(&self, path: &str, origin: Option<&str>) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.origin));
        origin.iter().fold(request, |request, origin| request.header("origin", *origin))
    }

    async fn send(&self, gateway: &Gateway, request: RequestBuilder) -> Answer {
        let answer = gateway.send(request).await;
        self.hear(&format!("{answer:?}{}", answer.text()));
        answer
    }

    async fn open(&self, gateway: &Gateway, audio: Vec<u8>) -> Events {
        gateway.open(self.post(TRANSCRIBE).body(audio)).await
    }

    /// The code of a refusal, in the shape that every error has.
    async fn refusal(&self, gateway: &Gateway, request: RequestBuilder) -> (u16, String) {
        let (status, code, _) = self.refusal_in_words(gateway, request).await;
        (status, code)
    }

    /// The same with what the page shows.
    async fn refusal_in_words(&self, gateway: &Gateway, request: RequestBuilder) -> (u16, String, String) {
        let answer = self.send(gateway, request).await;
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{answer:?}");
        let error = answer.json()["error"].clone();
        assert!(error["message"].is_string() && error["type"].is_string() && error["param"].is_null(), "{error}");
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (answer.status, text("code"), text("message"))
    }

    fn hear(&self, text: &str) {
        self.heard.lock().unwrap().push_str(text);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.logs.iter().for_each(Log::finish);
        let said = self.logs.each_ref().map(Log::text).join("\n");
        if std::thread::panicking() {
            eprintln!("The page's server said:\n{said}");
            return;
        }
        let secret = signature(&self.token);
        assert!(!self.heard.lock().unwrap().contains(&secret), "the backend's token was told to the page");
        assert!(!said.contains("eyJ"), "a token is in the log of the page's server: {said}");
    }
}

/// The sessions that the backend has open.
async fn sessions(gateway: &Gateway) -> Vec<Value> {
    let request = gateway.request(Method::GET, "/v1/sessions").bearer_auth(backend());
    gateway.send(request).await.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn nobody_is_logged_in_before_the_application_says_who() {
    let gateway = Gateway::start().await;
    // A user for a first try is one of `next dev` alone, and only if there is a name for them.
    for changes in [("VOXGATE_DEMO_USER", ""), ("NODE_ENV", "production"), ("NODE_ENV", "")] {
        let Some(server) = Server::with(&gateway, &[changes]).await else { return };
        for path in [SESSION, TRANSCRIBE] {
            let refusal = server.refusal(&gateway, server.post(path).body(audio::wav(300))).await;
            assert_eq!(refusal, (401, "not_logged_in".to_owned()), "{path}, {changes:?}");
        }
    }
    assert_eq!((sessions(&gateway).await.len(), gateway.provider.tries()), (0, 0));
}

#[tokio::test]
async fn a_page_of_somebody_else_gets_nothing() {
    let gateway = Gateway::start().await;
    let Some(server) = Server::of(&gateway).await else { return };
    let others = [
        None,
        Some("null"),
        Some(""),
        Some("https://evil.example"),
        Some("http://app.example.com"),
        Some("https://app.example.com:8443"),
        Some("https://app.example.com.evil.example"),
    ];
    for origin in others {
        for path in [SESSION, TRANSCRIBE] {
            let request = server.post_from(path, origin).body(audio::wav(300));
            assert_eq!(server.refusal(&gateway, request).await, (403, "wrong_origin".to_owned()), "{path}, {origin:?}");
        }
    }
    let Some(unknowing) = Server::with(&gateway, &[("APP_ORIGIN", "")]).await else { return };
    for path in [SESSION, TRANSCRIBE] {
        let request = unknowing.post(path).body(audio::wav(300));
        assert_eq!(unknowing.refusal(&gateway, request).await, (500, "not_configured".to_owned()), "{path}");
    }
    assert_eq!((sessions(&gateway).await.len(), gateway.provider.tries()), (0, 0));
}

#[tokio::test]
async fn the_page_explains_a_missing_login_and_a_wrong_address() {
    let gateway = Gateway::start().await;
    let Some(nobody) = Server::with(&gateway, &[("VOXGATE_DEMO_USER", "")]).await else { return };
    let Some(production) = Server::with(&gateway, &[("NODE_ENV", "production")]).await else { return };
    let Some(elsewhere) = Server::with(&gateway, &[("APP_ORIGIN", "http://localhost:3000")]).await else { return };
    let Some(unreadable) = Server::with(&gateway, &[("APP_ORIGIN", "localhost:3000/app")]).await else { return };
    for path in [SESSION, TRANSCRIBE] {
        let said = async |server: &Server, origin: Option<&str>| {
            let request = server.post_from(path, origin).body(audio::wav(300));
            server.refusal_in_words(&gateway, request).await
        };
        let (status, _, words) = said(&nobody, Some(ORIGIN)).await;
        assert!(
            status == 401 && words.contains("Nobody is logged in") && words.contains("VOXGATE_DEMO_USER"),
            "{words}"
        );
        let (status, _, words) = said(&production, Some(ORIGIN)).await;
        assert!(status == 401 && words.contains("Please log in") && !words.contains("VOXGATE"), "{words}");
        let (status, _, words) = said(&elsewhere, Some("http://127.0.0.1:3000")).await;
        assert_eq!(status, 403);
        for word in ["http://127.0.0.1:3000", "http://localhost:3000", "APP_ORIGIN"] {
            assert!(words.contains(word), "{word} is not in: {words}");
        }
        let (status, _, words) = said(&elsewhere, None).await;
        assert!(status == 403 && words.contains("names no page"), "{words}");
        for origin in [ORIGIN, "null"] {
            let (status, _, words) = said(&unreadable, Some(origin)).await;
            assert!(status == 500 && words.contains("APP_ORIGIN"), "{status}: {words}");
        }
    }
}

#[tokio::test]
async fn the_page_gets_a_token_of_its_user_with_caps_and_nothing_else() {
    let gateway = Gateway::start().await;
    let Some(server) = Server::of(&gateway).await else { return };
    let answer = server.send(&gateway, server.post(SESSION)).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store, no-transform")));
    let given = answer.json();
    let mut names: Vec<_> = given.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["expires_at", "token"]);

    let open = sessions(&gateway).await;
    assert_eq!(open.len(), 1);
    let facts = ["subject", "scope", "max_usd", "max_audio_seconds", "expires_at"].map(|name| &open[0][name]);
    let wanted = [&json!("web:carol"), &json!("transcribe"), &json!("0.10"), &json!(900), &given["expires_at"]];
    assert_eq!(facts, wanted);
    let ends = given["expires_at"].as_u64().unwrap();
    assert!(ends <= token::now() + 301, "it lasts for minutes: {given}");

    let token = given["token"].as_str().unwrap();
    let recording = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token);
    let recording = recording.header("content-type", "audio/wav").body(audio::wav(300));
    assert_eq!(gateway.send(recording).await.status, 200);
    let more = gateway.request(Method::POST, "/v1/sessions").bearer_auth(token).body(r#"{"subject":"mallory"}"#);
    gateway.send(more).await.is_error(403, "insufficient_scope", None);
}

#[tokio::test]
async fn the_route_hands_on_each_event_before_the_next_is_sent() {
    let gateway = Gateway::start().await;
    let Some(server) = Server::of(&gateway).await else { return };
    let all = events();
    let gates: Vec<_> = all.iter().map(|_| Gate::closed()).collect();
    let reply = all
        .iter()
        .zip(&gates)
        .fold(Reply::stream(), |reply, (event, gate)| reply.send(Framing::PLAIN.event(event)).wait(gate));
    gateway.provider.answer(reply);
    let mut stream = server.open(&gateway, audio::wav(300)).await;
    for (event, gate) in all.iter().zip(&gates) {
        let got = stream.until("\n\n").await;
        server.hear(&got);
        assert_eq!(got, Framing::PLAIN.event(event));
        gate.open();
    }
    assert_eq!(stream.rest().await, "data: [DONE]\n\n");
    assert_eq!(gateway.provider.last().file().body, audio::wav(300), "the recording was changed on its way");
    assert_eq!(sessions(&gateway).await[0]["subject"], "web:carol", "it is charged to the user");
}

#[tokio::test]
async fn the_route_hands_on_a_recording_while_it_arrives() {
    let gateway = Gateway::start().await;
    let Some(server) = Server::of(&gateway).await else { return };
    let audio = audio::wav(20_000);
    let (first, second) = audio.split_at(audio.len() / 2);
    let (piece, pieces) = mpsc::unbounded_channel::<Vec<u8>>();
    let body = stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), pieces))
    });
    let request = server.post(TRANSCRIBE).header("content-length", audio.len()).body(Body::wrap_stream(body));
    piece.send(first.to_vec()).unwrap();
    let rest = async {
        // What was sent last is on its way for a while.
        gateway.provider.receives(0, first.len() - 128 * 1024).await;
        piece.send(second.to_vec()).unwrap();
        drop(piece);
    };
    let (answer, ()) = tokio::join!(server.send(&gateway, request), rest);
    assert_eq!(answer.status, 200);
    assert_eq!(gateway.provider.last().file().body, audio);
}

#[tokio::test]
async fn a_page_that_goes_takes_its_request_with_it() {
    // A keep-alive that cannot be delivered would tell the gateway, too, but only later.
    let gateway = Gateway::with(&[("VOXGATE_RELAY__KEEP_ALIVE", "10m")]).await;
    let Some(server) = Server::of(&gateway).await else { return };
    let never = Gate::closed();
    // In the middle of the transcript.
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let mut stream = server.open(&gateway, audio::wav(300)).await;
    stream.until("\n\n").await;
    drop(stream);
    gateway.provider.hung_up(1).await;
    // Before its beginning.
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.all(&events())).held_by(&never));
    let asks = tokio::spawn(server.post(TRANSCRIBE).body(audio::wav(300)).send());
    gateway.provider.asked(2).await;
    asks.abort();
    gateway.provider.hung_up(2).await;
    // Each recording, and the session that was opened for it.
    gateway.log.recorded(4).await;
    let gone = gateway.log.requests().iter().filter(|record| record["outcome"] == "client_gone").count();
    assert_eq!(gone, 2);
}

#[tokio::test]
async fn the_page_says_the_language_and_nothing_else_of_the_request() {
    let gateway = Gateway::start().await;
    let Some(server) = Server::of(&gateway).await else { return };
    let path = format!("{TRANSCRIBE}?language=cy&model=whisper-1&prompt=anything&stream=false&response_format=text");
    let answer = server.send(&gateway, server.post(&path).body(audio::wav(300))).await;
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    let seen = gateway.provider.last();
    let fields = ["model", "language", "stream", "prompt"].map(|name| seen.field(name));
    assert_eq!(fields, [Some("gpt-transcribe"), Some("cy"), Some("true"), None]);
}

#[tokio::test]
async fn what_the_gateway_refuses_with_reaches_the_page() {
    let gateway = Setup::new()
        .single_attempt()
        .env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400")
        .config("[plans.default]\nrequests_per_minute = 3\nburst = 3\n")
        .start()
        .await;
    let Some(server) = Server::of(&gateway).await else { return };
    let ask = async |audio: Vec<u8>| server.send(&gateway, server.post(TRANSCRIBE).body(audio)).await;
    let error = json!({ "error": { "message": "No.", "type": "invalid_request_error", "param": null, "code": "no" } });
    gateway.provider.answer(Reply::json(400, &error));
    let answer = ask(audio::wav(300)).await;
    answer.is_error(400, "no", None);
    assert_eq!(answer.json(), error);
    ask(b"Only a text.".repeat(10)).await.is_error(400, "invalid_audio", Some("file"));
    ask(vec![0; 26_214_401]).await.is_error(413, "file_too_large", Some("file"));
    let answers = [ask(audio::wav(300)).await, ask(audio::wav(300)).await, ask(audio::wav(300)).await];
    let refused =
        answers.iter().find(|answer| answer.status == 429).expect("the backend opens three sessions a minute");
    refused.is_error(429, "rate_limit_exceeded", None);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
}

#[tokio::test]
async fn a_backend_that_may_open_no_session_does_not_log_its_users_out() {
    let mut gateway = Gateway::start().await;
    let unscoped = token::with(&json!({ "scope": "transcribe" }));
    let expired = token::with(&json!({ "scope": "sessions transcribe", "exp": token::now() - 3600 }));
    for token in [&unscoped, &expired] {
        let Some(server) = Server::with(&gateway, &[("VOXGATE_BACKEND_TOKEN", token)]).await else { return };
        for path in [SESSION, TRANSCRIBE] {
            let request = server.post(path).body(audio::wav(300));
            assert_eq!(server.refusal(&gateway, request).await, (500, "no_session".to_owned()), "{path}");
        }
    }
    let Some(server) = Server::of(&gateway).await else { return };
    gateway.terminate();
    gateway.ended().await;
    for path in [SESSION, TRANSCRIBE] {
        let request = server.post(path).body(audio::wav(300));
        assert_eq!(server.refusal(&gateway, request).await, (502, "gateway_unreachable".to_owned()), "{path}");
    }
}
