//! Traces of requests that end badly, and collectors that are of no use.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::collector::{Collector, Conduct};
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply, answer, events};
use crate::support::sender::{Sender, send_half};
use crate::support::spans::{RequestSpans, STEPS, nanos_now, traced};
use crate::support::stores::durable_redis;
use crate::support::wire::request_head;
use crate::support::{audio, token};

const FAILS: &str = "the collector does not take traces; they are lost meanwhile";
const AGAIN: &str = "the collector takes traces again";
const PLANS: &str = "[plans.poor]\nmonthly_usd = \"0\"\n[plans.slow]\nrequests_per_minute = 1\nburst = 1\n";

fn form() -> Form {
    Form::new().field("model", "gpt-transcribe").file(&audio::wav(300))
}

/// A token of this plan.
fn of(plan: &str) -> String {
    token::with(&json!({ "plan": plan }))
}

fn streamed() -> Form {
    Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300))
}

#[tokio::test]
async fn a_refused_request_has_the_steps_that_happened_and_says_which_one_failed() {
    let collector = Collector::start();
    let gateway = traced(&collector).config(PLANS).single_attempt().start().await;
    let send = |token: String, form: Form| {
        gateway.send(form.on(gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token)))
    };
    assert_eq!(send(token::altered(), form()).await.status, 401);
    assert_eq!(send(token::good(), Form::new().file(b"no recording at all")).await.status, 400);
    assert_eq!(send(of("poor"), form()).await.status, 429);
    assert_eq!(send(of("slow"), form()).await.status, 200);
    assert_eq!(send(of("slow"), form()).await.status, 429);
    gateway.provider.answer(Reply::error(500));
    assert_eq!(send(token::good(), form()).await.status, 500);
    let mut wire = gateway.wire().await;
    wire.send(request_head(&token::altered(), &Form::content_type(), 1000, "Expect: 100-continue\r\n")).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 401 "));
    gateway.log.recorded(7).await;

    let up_to = |step: &str| STEPS[..=STEPS.iter().position(|known| *known == step).unwrap()].to_vec();
    let refunded = [up_to("forward"), vec!["settle"]].concat();
    let expected = [
        ("invalid_token", up_to("identify"), vec!["identify", "receive"]),
        ("invalid_audio", up_to("take in"), vec!["take in"]),
        ("insufficient_quota", up_to("admit"), vec!["admit"]),
        ("", STEPS.to_vec(), vec![]),
        ("rate_limit_exceeded", up_to("identify"), vec!["receive"]),
        ("provider_error", refunded, vec!["forward"]),
        ("invalid_token", up_to("identify"), vec!["identify", "receive"]),
    ];
    let all = RequestSpans::of(&collector, gateway).await;
    assert_eq!(all.len(), expected.len());
    for (one, (code, names, mut failed)) in all.iter().zip(expected) {
        assert_eq!((one.root.message.as_str(), one.root.failed), (code, !code.is_empty()), "{:?}", one.root);
        assert_eq!(one.names(), names, "{code}");
        let mut have = one.failed();
        have.sort_unstable();
        failed.sort_unstable();
        assert_eq!(have, failed, "{code}");
        if !code.is_empty() {
            assert_eq!(one.root.attributes["error.type"], code);
        }
    }
    assert_eq!(all[5].step("forward").attributes["error.type"], "server_error");
    assert_eq!(all[5].step("settle").attributes["voxgate.ending"], "refunded");
    assert_eq!(all[5].step("settle").attributes["voxgate.cost_nano_usd"], 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_every_step() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    drop(stream);
    gateway.provider.hung_up(1).await;
    // In the middle of an upload that is being forwarded.
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    send_half(&gateway, &mut sender, &audio, 1).await;
    drop(sender);
    gateway.log.recorded(2).await;
    let gone = nanos_now();

    let all = RequestSpans::of(&collector, gateway).await;
    all[0].are_seven();
    assert_eq!((&all[0].root.attributes["voxgate.outcome"], all[0].root.failed), (&json!("client_gone"), false));
    assert_eq!(all[0].step("settle").attributes["voxgate.ending"], "left");
    assert_eq!(all[1].names(), ["receive", "identify", "take in", "admit", "forward", "settle"]);
    assert_eq!((all[1].root.message.as_str(), all[1].failed()), ("incomplete_body", vec!["take in"]));
    assert_eq!(all[1].step("settle").attributes["voxgate.ending"], "refunded");
    for one in &all {
        for name in one.names().into_iter().filter(|name| *name != "settle") {
            assert!(one.step(name).end <= gone, "{name} went on");
        }
    }
}

#[tokio::test]
async fn a_settlement_that_waits_for_the_store_says_so() {
    let collector = Collector::start();
    let mut server = durable_redis();
    let gateway = traced(&collector).env("REDIS_URL", &server.url()).start().await;
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let meanwhile = async {
        gateway.provider.asked(1).await;
        server.kill();
        gate.open();
    };
    let (got, ()) = tokio::join!(gateway.transcribe(form()), meanwhile);
    assert_eq!(got.status, 200);
    let steps = RequestSpans::only(&collector, gateway).await;
    steps.are_seven();
    assert_eq!(steps.step("settle").attributes["voxgate.deferred"], true);
    assert!(!steps.root.failed && steps.failed().is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_is_a_relay_that_fails() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).close());
    gateway.transcribe(streamed()).await;
    let steps = RequestSpans::only(&collector, gateway).await;
    steps.are_seven();
    assert_eq!((steps.root.message.as_str(), steps.failed()), ("stream_broken", vec!["relay"]));
}

#[tokio::test]
async fn an_unreachable_collector_delays_neither_requests_nor_the_end() {
    let collector = Collector::that(Conduct::Hangs);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [collector.endpoint(), format!("http://{nobody}")] {
        let setup =
            traced(&collector).env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "1");
        let mut gateway = setup.start().await;
        for _ in 0..5 {
            assert_eq!(gateway.transcribe(form()).await.status, 200);
        }
        gateway.terminate();
        assert_eq!(gateway.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_failing_collector_is_logged_once_and_its_return_once() {
    let collector = Collector::that(Conduct::Refuses);
    let gateway = traced(&collector).env("OTEL_BSP_SCHEDULE_DELAY", "1").start().await;
    let batches = async |gateway: &Gateway, more: usize| {
        let before = collector.batches();
        // Spans go out as they end, so that each request makes a batch at least.
        while collector.batches() < before + more {
            assert_eq!(gateway.transcribe(form()).await.status, 200);
        }
    };
    batches(&gateway, 3).await;
    assert_eq!(gateway.log.event(FAILS).await["reason"], "401 Unauthorized");
    collector.conducts_itself(Conduct::Takes);
    batches(&gateway, 3).await;
    gateway.log.event(AGAIN).await;
    let said = |text: &str| gateway.log.text().matches(text).count();
    assert_eq!((said(FAILS), said(AGAIN)), (1, 1));
}

#[tokio::test]
async fn an_address_that_is_none_is_a_mistake_that_names_the_variable() {
    let setup = Setup::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318");
    let output = crate::support::gateway::run(&["serve"], &setup.variables(), setup.data());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("telemetry.otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): got a value that is not shown"),
        "{said}"
    );
}
