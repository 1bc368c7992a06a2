//! Each request is a trace with the seven steps of its path, where somebody wants traces.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::audio;
use crate::support::collector::Collector;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, PROMPT, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply, events};
use crate::support::sender::{Sender, send_half};
use crate::support::spans::{RequestSpans, STEPS, nanos_now, traced};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn from_client(request: RequestBuilder) -> RequestBuilder {
    request.header("traceparent", format!("00-{TRACE}-{PARENT}-01")).header("tracestate", "theirs=1")
}

fn form() -> Form {
    let form = Form::new().fields(&[("model", "gpt-transcribe"), ("prompt", PROMPT)]);
    form.named_file("my-diary.wav", "audio/wav", &audio::wav(300))
}

fn streamed() -> Form {
    Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300))
}

#[tokio::test]
async fn the_seven_steps_of_a_request_are_spans_of_its_clients_trace() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    let got = gateway.send(form().on(from_client(gateway.post(TRANSCRIPTIONS)))).await;
    assert_eq!(got.status, 200, "{got:?}");
    let record = gateway.log.request(got.request_id()).await;
    assert_eq!(record["trace_id"], TRACE);
    let traceparent = gateway.provider.last().header("traceparent").unwrap().to_owned();

    let steps = RequestSpans::only(&collector, gateway).await;
    assert_eq!(steps.names(), STEPS);
    let root = &steps.root;
    assert_eq!((root.trace.as_str(), root.parent.as_str(), root.state.as_str()), (TRACE, PARENT, "theirs=1"));
    assert_eq!((root.name.as_str(), root.kind), ("POST /v1/audio/transcriptions", SpanKind::Server));
    assert_eq!(traceparent, format!("00-{TRACE}-{}-01", steps.step("forward").id));
    assert_eq!(steps.step("forward").kind, SpanKind::Client);
    // Each begins when the one before has ended, but for the first, which is there as long as the body comes.
    let of = |name| (steps.step(name).start, steps.step(name).end);
    let in_order = ["identify", "take in", "admit", "forward", "relay"].map(of);
    assert!(in_order.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{in_order:?}");
    assert!(of("receive").0 == root.start && of("receive").1 <= of("take in").1 && of("receive").1 >= of("take in").0);
    assert!(of("relay").1 <= root.end && of("settle").0 >= of("forward").1, "{in_order:?}");
    assert!(!root.failed && steps.failed().is_empty());
    let facts = [
        ("http.request.method", json!("POST")),
        ("http.route", json!("/v1/audio/transcriptions")),
        ("http.response.status_code", json!(200)),
        ("voxgate.request_id", json!(got.request_id())),
        ("voxgate.model", json!("gpt-transcribe")),
        ("voxgate.audio_ms", json!(300)),
        ("voxgate.stream", json!(false)),
        ("voxgate.provider", json!("openai")),
        ("voxgate.attempts", json!(1)),
        ("voxgate.outcome", json!("answered")),
    ];
    assert_eq!(root.attributes, facts.map(|(name, value)| (name.to_owned(), value)).into());
    let settled = &steps.step("settle").attributes;
    assert_eq!(settled["voxgate.ending"], "answered");
    assert!(settled["voxgate.cost_nano_usd"].as_i64().unwrap() > 0, "{settled:?}");
}

#[tokio::test]
async fn a_stream_is_forwarded_until_its_first_event_and_relayed_until_its_last() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    let (gate, events) = (Gate::closed(), Framing::PLAIN.all(&events()));
    let (first, rest) = events.split_at(events.find("\n\n").unwrap() + 2);
    gateway.provider.answer(Reply::stream().send(first).wait(&gate).send(rest));
    let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    let between = nanos_now();
    gate.open();
    stream.rest().await;

    let steps = RequestSpans::only(&collector, gateway).await;
    steps.are_seven();
    assert!(steps.step("forward").end <= steps.step("relay").start && steps.step("relay").start < between);
    assert!(steps.step("relay").end > between && steps.step("settle").start > between && steps.root.end > between);
    assert_eq!(steps.root.attributes["voxgate.stream"], true);
    assert!(!steps.root.failed && steps.failed().is_empty());
}

#[tokio::test]
async fn a_recording_that_is_forwarded_while_it_arrives_shows_both_at_once() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    let between = nanos_now();
    sender.finish().await.is_served(1);

    let steps = RequestSpans::only(&collector, gateway).await;
    steps.are_seven();
    for (name, begun, over) in [
        ("identify", true, true),
        ("admit", true, true),
        ("receive", true, false),
        ("take in", true, false),
        ("forward", true, false),
        ("relay", false, false),
        ("settle", false, false),
    ] {
        let step = steps.step(name);
        assert_eq!((step.start < between, step.end < between), (begun, over), "{name}");
    }
}

#[tokio::test]
async fn a_restarted_early_upload_is_a_span_too() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    // Nobody could know of the field after the recording.
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio).field("prompt", PROMPT)).await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    sender.finish().await.is_served(1);
    let traceparent = gateway.provider.last().header("traceparent").unwrap().to_owned();

    let steps = RequestSpans::only(&collector, gateway).await;
    let forwards = steps.all("forward");
    assert_eq!((forwards.len(), steps.all("take in").len()), (2, 1));
    // The first is given up, or finds out by itself that it cannot be finished.
    assert!(!forwards[1].failed && !steps.root.failed);
    assert!(forwards[0].end <= forwards[1].start && traceparent.contains(&forwards[1].id), "{forwards:?}");
}

#[tokio::test]
async fn tries_that_fail_are_events_of_the_step_in_which_they_are_made() {
    let collector = Collector::start();
    let gateway = traced(&collector).short_backoff().start().await;
    gateway.provider.answer(Reply::error(500));
    assert_eq!(gateway.transcribe(form()).await.served(), ("openai", 2));
    let parents: Vec<_> =
        gateway.provider.all().iter().map(|seen| seen.header("traceparent").unwrap().to_owned()).collect();
    assert_eq!(parents[0], parents[1]);
    let steps = RequestSpans::only(&collector, gateway).await;
    assert_eq!(steps.step("forward").events, ["a try failed"]);
    assert_eq!(steps.root.attributes["voxgate.attempts"], 2);
    assert!(!steps.root.failed && steps.failed().is_empty());
}

#[tokio::test]
async fn without_a_collector_nobody_is_told_of_a_trace() {
    // Its provider takes no header of which it does not know the reason.
    let gateway = Gateway::start().await;
    let got = gateway.send(form().on(from_client(gateway.post(TRANSCRIPTIONS)))).await;
    assert_eq!(got.status, 200, "{got:?}");
    assert!(gateway.provider.last().header("traceparent").is_none());
    assert_eq!(gateway.log.request(got.request_id()).await["trace_id"], Value::Null);
}

#[tokio::test]
async fn a_traceparent_that_makes_no_sense_is_not_one() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    let zero = format!("00-{}-{PARENT}-01", "0".repeat(32));
    let wrong = ["nonsense", "", "00-abc-def-01", &zero, "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"];
    for parent in wrong {
        let request = gateway.post(TRANSCRIPTIONS).header("traceparent", parent);
        assert_eq!(gateway.send(form().on(request)).await.status, 200, "{parent}");
    }
    let twice = from_client(from_client(gateway.post(TRANSCRIPTIONS)));
    assert_eq!(gateway.send(form().on(twice)).await.status, 200);
    let all = RequestSpans::of(&collector, gateway).await;
    assert_eq!(all.len(), 6);
    for one in all {
        one.are_seven();
        assert_eq!((one.root.trace == TRACE, one.root.parent.as_str()), (false, ""), "{:?}", one.root);
    }
}

#[tokio::test]
async fn what_a_client_makes_up_is_in_no_span() {
    let collector = Collector::start();
    let gateway = traced(&collector).config("[plans.default]\nmodels = [\"*\"]\n").start().await;
    let form = Form::new().field("model", "my-diary").named_file("my-diary.wav", "audio/wav", &audio::wav(300));
    let request = gateway.post(&format!("{TRANSCRIPTIONS}?prompt=my-diary"));
    let request = request.header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let long = format!("theirs={}", "1".repeat(600));
    assert_eq!(gateway.send(form.on(request.header("tracestate", long))).await.status, 200);
    let steps = RequestSpans::only(&collector, gateway).await;
    steps.are_seven();
    assert_eq!(steps.root.attributes["voxgate.model"], "other");
    assert_eq!((steps.root.trace.as_str(), steps.root.state.as_str()), (TRACE, ""));
}

#[tokio::test]
async fn what_is_not_sampled_is_not_sent_and_the_provider_is_told_so() {
    let collector = Collector::start();
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    for (sampler, parent) in [("parentbased_always_on", Some(&unsampled)), ("always_off", None)] {
        let mut gateway = traced(&collector).env("OTEL_TRACES_SAMPLER", sampler).start().await;
        let mut request = gateway.post(TRANSCRIPTIONS);
        if let Some(parent) = parent {
            request = request.header("traceparent", parent);
        }
        assert_eq!(gateway.send(form().on(request)).await.status, 200);
        let told = gateway.provider.last().header("traceparent").unwrap().to_owned();
        assert!(told.ends_with("-00") && parent.is_none_or(|_| told.contains(TRACE)), "{told}");
        gateway.terminate();
        gateway.ended().await;
    }
    assert_eq!(collector.batches(), 0);
}

#[tokio::test]
async fn the_gateway_says_who_it_is_and_shows_the_collector_its_own_key() {
    for (variables, name) in [
        (vec![], "voxgate"),
        (vec![("OTEL_SERVICE_NAME", "speech"), ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")], "speech"),
        (vec![("OTEL_RESOURCE_ATTRIBUTES", "service.name=by-attribute")], "by-attribute"),
    ] {
        let collector = Collector::start();
        let setup = traced(&collector).env("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=of-the-collector");
        let gateway = variables.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).start().await;
        gateway.transcribe(form()).await;
        RequestSpans::only(&collector, gateway).await.are_seven();
        let resource = collector.resource();
        assert_eq!(resource["service.name"], name);
        assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(resource.contains_key("deployment.environment"), name == "speech");
        assert!(collector.headers().iter().all(|head| head.contains("x-api-key: of-the-collector")));
    }
}

#[tokio::test]
async fn routes_without_audio_have_the_steps_that_they_have_and_probes_have_no_trace() {
    let collector = Collector::start();
    let gateway = traced(&collector).start().await;
    gateway.send(gateway.get("/v1/models")).await;
    gateway.send(gateway.get("/health/ready")).await;
    gateway.send(gateway.get("/v1/my-diary?prompt=my-diary")).await;
    let all = RequestSpans::of(&collector, gateway).await;
    let seen: Vec<_> = all.iter().map(|one| (one.root.name.as_str(), one.names(), one.root.message.as_str())).collect();
    let expected = [("GET /v1/models", vec!["receive", "identify"], ""), ("GET unknown", vec!["receive"], "not_found")];
    assert_eq!(seen, expected);
}
