//! A provider that fails: what the client gets, how many tries are made, what is charged.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::provider::{Framing, Gate, Reply, answer, events};
use crate::support::wire::request_head;
use crate::support::{audio, token};

const HTML: &str = "<html><body>Bad gateway</body></html>";

/// A way to fail.
struct Fault {
    name: &'static str,
    reply: Reply,
    streamed: bool,
    /// What the client gets if it goes on like that.
    status: u16,
    code: &'static str,
    /// How many times the provider is asked then, of three.
    tries: usize,
}

impl Fault {
    fn new(name: &'static str, reply: Reply, (status, code): (u16, &'static str), tries: usize) -> Self {
        Self { name, reply, streamed: false, status, code, tries }
    }

    fn streamed(self) -> Self {
        Self { streamed: true, ..self }
    }

    fn form(&self) -> Form {
        Form::new().field("stream", if self.streamed { "true" } else { "false" }).file(&audio::wav(3000))
    }
}

fn json_in_chunks() -> Reply {
    Reply::chunked("application/json")
}

fn faults() -> Vec<Fault> {
    let (json_type, whole) = answer("json");
    let broken = (502, "provider_error");
    let silent = Gate::closed();
    let own = |status| (status, "from_provider");
    let half = "{\"text\":\"Sphinx of bl";
    let forever = Duration::ZERO;
    vec![
        Fault::new("reset in the middle of the upload", Reply::hang_up_in_mid_upload(30_000), broken, 3),
        Fault::new("reset before the answer", Reply::hang_up(), broken, 3),
        Fault::new("reset in the middle of the answer", json_in_chunks().send(half).reset(), broken, 3),
        Fault::new("end in the middle of the answer", json_in_chunks().send(half).close(), broken, 3),
        Fault::new("reset before the first event", Reply::stream().send(": hello\n\n").reset(), broken, 3).streamed(),
        Fault::new("a stream without an event", Reply::stream(), broken, 3).streamed(),
        Fault::new("half of some JSON", Reply::whole(200, json_type, half), broken, 3),
        Fault::new("an error that says 200", Reply::json(200, &json!({ "error": "no" })), broken, 1),
        Fault::new("a length that is too large", Reply::cut_short(json_type, &whole), broken, 3),
        Fault::new("a length that is too small", Reply::declared("20", json_type, &whole), broken, 3),
        Fault::new("a length that is none", Reply::declared("plenty", json_type, &whole), broken, 3),
        Fault::new("a page", Reply::whole(200, "text/html", HTML), broken, 3),
        Fault::new("500 and a page", Reply::whole(500, "text/html", HTML), (500, "provider_error"), 3),
        Fault::new("500", Reply::error(500), own(500), 3),
        Fault::new("503 for a moment", Reply::error(503).header("retry-after-ms", "20"), own(503), 3),
        Fault::new("503 for long", Reply::error(503).header("retry-after", "60"), own(503), 1),
        Fault::new("500 for good", Reply::error(500).header("x-should-retry", "false"), own(500), 1),
        Fault::new("429 without a word", Reply::error(429), own(429), 3),
        Fault::new("429 for a moment", Reply::error(429).header("retry-after-ms", "20"), own(429), 3),
        Fault::new("429 for long", Reply::error(429).header("retry-after", "60"), own(429), 1),
        Fault::new("408", Reply::error(408), own(408), 3),
        Fault::new("409", Reply::error(409), own(409), 3),
        Fault::new("400", Reply::error(400), own(400), 1),
        Fault::new("404", Reply::error(404), own(404), 1),
        Fault::new("413", Reply::error(413), own(413), 1),
        Fault::new("422", Reply::error(422), own(422), 1),
        Fault::new("401", Reply::error(401), (502, "provider_auth_failed"), 1),
        Fault::new("403 that is not about the key", Reply::error(403), own(403), 1),
        Fault::new("403 without a word", Reply::whole(403, json_type, "{}"), (502, "provider_auth_failed"), 1),
        Fault::new("a redirect", Reply::whole(307, "text/plain", "").header("location", "/"), broken, 1),
        Fault::new(
            "a coding",
            Reply::whole(200, json_type, whole.clone()).header("content-encoding", "gzip"),
            broken,
            1,
        ),
        Fault::new("a body without an end", json_in_chunks().repeat(vec![b' '; 60_000], forever), broken, 1),
        // The rest takes time: the gateway's whole patience, or three times that for silence.
        Fault::new("a trickle", json_in_chunks().repeat(" ", Duration::from_millis(20)), (504, "provider_timeout"), 1),
        Fault::new("no answer", Reply::stream().held_by(&silent), (504, "provider_timeout"), 1),
        Fault::new("silence", json_in_chunks().send(half).wait(&silent), (504, "provider_timeout"), 3),
    ]
}

/// A gateway that knows nothing yet of what its provider does.
async fn gateway(fault: &Fault) -> Gateway {
    // Short where a fault lasts until a limit ends it; where none does, so long that no machine is too busy.
    let times = match fault.name {
        "silence" => ("1m", "1s"),
        "a trickle" | "no answer" => ("1500ms", "1m"),
        _ => ("1m", "1m"),
    };
    let setup = Setup::new().short_backoff().env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "0");
    let setup = setup.env("VOXGATE_UPSTREAM__RESPONSE_TIMEOUT", times.0).env("VOXGATE_UPSTREAM__IDLE_TIMEOUT", times.1);
    setup.env("VOXGATE_UPSTREAM__MAX_ANSWER_BYTES", "100000").start().await
}

#[tokio::test]
async fn each_fault_is_tried_as_often_as_it_may_help_and_costs_nothing() {
    for fault in faults() {
        let (gateway, alice) = (gateway(&fault).await, Account::of("alice", "default"));
        gateway.provider.answer_always(fault.reply.clone());
        let got = alice.send(&gateway, fault.form()).await;
        let name = fault.name;
        let error = got.error();
        assert_eq!((got.status, error["code"].as_str()), (fault.status, Some(fault.code)), "{name}: {error}");
        assert_eq!(got.served(), ("openai", fault.tries), "{name}");
        assert_eq!(gateway.provider.tries(), fault.tries, "{name}");
        assert!(!got.text().contains("Sphinx"), "{name}: {}", got.text());
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"], json!({ "requests": 1, "audio_ms": 0, "spent_usd": "0.00" }), "{name}");
        let record = gateway.log.request(got.request_id()).await;
        assert_eq!((&record["attempts"], &record["provider"]), (&json!(fault.tries), &json!("openai")), "{name}");
    }
}

#[tokio::test]
async fn a_fault_that_passes_is_never_seen_and_the_work_is_charged_once() {
    let audio = audio::wav(3000);
    for fault in faults().into_iter().filter(|fault| fault.tries == 3) {
        let (gateway, alice) = (gateway(&fault).await, Account::of("alice", "default"));
        gateway.provider.answer(fault.reply.clone());
        let got = alice.send(&gateway, fault.form()).await;
        let name = fault.name;
        assert_eq!(got.status, 200, "{name}: {}", got.text());
        assert_eq!((got.served(), gateway.provider.tries()), (("openai", 2), 2), "{name}");
        // It is the same recording, from its beginning.
        assert!(gateway.provider.all().iter().all(|seen| seen.file().body == audio), "{name}");
        let usage = alice.settled(&gateway).await;
        assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 3 * GPT_TRANSCRIBE, "{name}");
        assert_eq!(usage["total"]["requests"], 1, "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_tried_again() {
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}/v1");
    let gateway = Setup::new().short_backoff().env("OPENAI_BASE_URL", &address).start().await;
    let alice = Account::of("alice", "default");
    let got = alice.transcribe(&gateway, 3000).await;
    got.is_error(502, "provider_unreachable", None);
    assert_eq!(got.served(), ("openai", 3));
    assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 0);
}

#[tokio::test]
async fn how_often_is_a_setting() {
    for tries in [1, 2, 5] {
        let setup = Setup::new().short_backoff().env("VOXGATE_UPSTREAM__MAX_ATTEMPTS", &tries.to_string());
        let gateway = setup.start().await;
        gateway.provider.answer_always(Reply::error(503));
        let got = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
        assert_eq!((got.status, got.served()), (503, ("openai", tries)));
        assert_eq!(gateway.provider.tries(), tries);
    }
}

#[tokio::test]
async fn nothing_is_tried_again_once_the_client_has_the_first_event() {
    let gateway = Setup::new().short_backoff().start().await;
    let alice = Account::of("alice", "default");
    let first = Framing::PLAIN.event(&events()[0]);
    gateway.provider.answer(Reply::stream().send(first.clone()).close());
    let form = Form::new().field("stream", "true").file(&audio::wav(3000));
    let got = alice.send(&gateway, form).await;
    assert!(got.text().starts_with(&first) && got.text().contains("provider_stream_broken"), "{}", got.text());
    assert_eq!((got.served(), gateway.provider.tries()), (("openai", 1), 1));
    assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 3 * GPT_TRANSCRIBE);
}

#[tokio::test]
async fn a_stream_that_began_with_a_keep_alive_goes_on_with_whoever_answers() {
    let gateway = Setup::new().short_backoff().env("VOXGATE_RELAY__KEEP_ALIVE", "50ms").start().await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::error(500).held_by(&gate));
    let form = Form::new().field("stream", "true").file(&audio::wav(300));
    let response = form.on(gateway.post(TRANSCRIPTIONS)).send().await.unwrap();
    // Nobody knows yet who will serve it, nor after how many tries.
    for name in ["x-voxgate-provider", "x-voxgate-attempts"] {
        assert!(response.headers().get(name).is_none(), "{name}");
    }
    gate.open();
    let text = response.text().await.unwrap();
    assert!(text.starts_with(": keep-alive\n\n") && text.ends_with("data: [DONE]\n\n"), "{text}");
    gateway.log.recorded(1).await;
    let record = &gateway.log.requests()[0];
    assert_eq!((&record["attempts"], &record["provider"]), (&json!(2), &json!("openai")));
}

/// A client that has sent its whole request on a bare connection.
async fn client(gateway: &Gateway, subject: &str) -> crate::support::wire::Wire {
    let bytes = Form::new().file(&audio::wav(3000)).bytes();
    let mut wire = gateway.wire().await;
    let token = token::with(&json!({ "sub": subject }));
    wire.send(request_head(&token, &Form::content_type(), bytes.len(), "")).await;
    wire.send(&bytes).await;
    wire
}

#[tokio::test]
async fn a_client_that_leaves_between_attempts_pays_nothing() {
    let gateway = Gateway::start().await;
    gateway.provider.answer_always(Reply::error(503).header("retry-after", "20"));
    let wire = client(&gateway, "alice").await;
    gateway.log.event("a try failed").await;
    drop(wire);
    gateway.log.recorded(1).await;
    assert_eq!(gateway.log.requests()[0]["outcome"], "client_gone");
    assert_eq!(gateway.provider.tries(), 1);
    let usage = Account::of("alice", "default").settled(&gateway).await;
    assert_eq!((&usage["total"]["requests"], nano_usd(&usage["total"]["spent_usd"])), (&json!(1), 0));
}

#[tokio::test]
async fn a_client_that_leaves_a_later_attempt_pays_for_that_attempt() {
    let gateway = Setup::new().short_backoff().start().await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::error(503));
    gateway.provider.answer(Reply::stream().held_by(&never));
    let wire = client(&gateway, "alice").await;
    gateway.provider.asked(2).await;
    drop(wire);
    gateway.provider.hung_up(1).await;
    let usage = Account::of("alice", "default").settled(&gateway).await;
    assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 3 * GPT_TRANSCRIBE);
    assert_eq!(gateway.provider.tries(), 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_was_idle_is_no_failure() {
    let gateway = Setup::new().single_attempt().env("VOXGATE_SERVER__WORKERS", "1").start().await;
    let ask = || gateway.transcribe(Form::new().file(&audio::wav(300)));
    assert_eq!(ask().await.status, 200);
    // The provider closes it at the moment at which the next request comes over it.
    gateway.provider.answer(Reply::hang_up());
    let got = ask().await;
    assert_eq!((got.status, got.served()), (200, ("openai", 1)), "{}", got.text());
    assert_eq!(gateway.provider.tries(), 3);
    // On a connection of its own it is a failure.
    let gateway = Setup::new().single_attempt().start().await;
    gateway.provider.answer(Reply::hang_up());
    let got = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
    got.is_error(502, "provider_error", None);
    assert_eq!((got.served(), gateway.provider.tries()), (("openai", 1), 1));
}

#[tokio::test]
async fn an_answer_for_which_nobody_was_asked_names_nobody() {
    let gateway = Gateway::start().await;
    let refused = gateway.transcribe(Form::new().field("temperature", "7").file(&audio::wav(300))).await;
    let models = gateway.send(gateway.request(Method::GET, "/v1/models").bearer_auth(token::good())).await;
    for answer in [refused, models] {
        assert_eq!((answer.header("x-voxgate-provider"), answer.header("x-voxgate-attempts")), (None, None));
    }
}
