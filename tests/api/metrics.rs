//! What is counted: exactly what happened, under names that nobody outside can make up.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use voxgate::telemetry::metrics::{Descriptor, Kind, families};

use crate::support::account::Account;
use crate::support::busy_gateway::{Busy, SETTINGS};
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS, TRANSLATIONS};
use crate::support::money::GPT_TRANSCRIBE;
use crate::support::provider::{Provider, key};
use crate::support::scrape::Scrape;
use crate::support::wire::request_head;
use crate::support::{audio, token};

/// What a second of audio costs in billionths of a dollar at the provider called `second`.
const SECOND: u64 = 1_000_000;

fn table<const N: usize>(rows: &[([&str; N], u64)]) -> BTreeMap<[String; N], u64> {
    rows.iter().map(|(labels, count)| (labels.map(str::to_owned), *count)).collect()
}

#[tokio::test]
async fn what_happened_is_counted_exactly() {
    let busy = Busy::gateway().await;
    let (scrape, before) = (&busy.scrape, &busy.before);
    for name in ["voxgate_requests_total", "voxgate_settlements_total", "voxgate_request_duration_seconds_count"] {
        assert!(!before.samples.contains_key(name), "{name} before anything happened");
    }
    // What can be named beforehand begins at zero, or Prometheus would not see its first step.
    for provider in ["openai", "second"] {
        let fallback = [("model", "gpt-4o-transcribe"), ("provider", provider)];
        assert_eq!(before.text_of("voxgate_spend_usd_total", &fallback), "0");
    }
    assert_eq!(before.text_of("voxgate_audio_seconds_total", &[("model", "whisper-1")]), "0");
    assert_eq!(before.table("voxgate_provider_tries_total", ["provider"]), BTreeMap::new());
    assert_eq!(before.with("voxgate_provider_tries_total", &[]).count(), 2, "there from the start");

    let requests = scrape.table("voxgate_requests_total", ["route", "model", "status"]);
    assert_eq!(
        requests,
        table(&[
            ([TRANSCRIPTIONS, "gpt-4o-transcribe", "200"], 1),
            ([TRANSCRIPTIONS, "gpt-transcribe", "200"], 5),
            ([TRANSCRIPTIONS, "none", "401"], 1),
            ([TRANSCRIPTIONS, "none", "429"], 1),
        ])
    );
    let outcomes = scrape.table("voxgate_request_outcomes_total", ["route", "outcome"]);
    assert_eq!(outcomes, table(&[([TRANSCRIPTIONS, "answered"], 8)]));
    let refusals = scrape.table("voxgate_refusals_total", ["code"]);
    assert_eq!(refusals, table(&[(["invalid_token"], 1), (["rate_limit_exceeded"], 1)]));

    assert_eq!(scrape.table("voxgate_provider_tries_total", ["provider"]), table(&[(["openai"], 7), (["second"], 1)]));
    let failures = scrape.table("voxgate_provider_failures_total", ["provider", "reason"]);
    assert_eq!(failures, table(&[(["openai", "server_error"], 2)]));
    assert_eq!((busy.gateway.provider.tries(), busy.second.tries()), (7, 1));

    let model = |name| [("model", name)];
    assert_eq!(scrape.text_of("voxgate_audio_seconds_total", &model("gpt-transcribe")), "5");
    assert_eq!(scrape.text_of("voxgate_audio_seconds_total", &model("gpt-4o-transcribe")), "1");
    assert_eq!(scrape.count("voxgate_audio_bytes_total", &[]), 6 * busy.bytes);
    let spent = |nanos: u64| format!("0.{nanos:09}");
    let by = |model, provider| [("model", model), ("provider", provider)];
    let name = "voxgate_spend_usd_total";
    assert_eq!(scrape.text_of(name, &by("gpt-transcribe", "openai")), spent(5 * GPT_TRANSCRIBE));
    assert_eq!(scrape.text_of(name, &by("gpt-4o-transcribe", "second")), spent(SECOND));
    assert_eq!(scrape.table("voxgate_settlements_total", ["ending"]), table(&[(["answered"], 6)]));
}

#[tokio::test]
async fn histograms_agree_with_what_is_counted() {
    let Busy { gateway: _gateway, scrape, .. } = Busy::gateway().await;
    let counts = [
        ("voxgate_request_duration_seconds", 8),
        ("voxgate_gateway_duration_seconds", 8),
        ("voxgate_provider_duration_seconds", 6),
        ("voxgate_first_event_seconds", 1),
        ("voxgate_store_duration_seconds", 12),
    ];
    let histograms = families().into_iter().filter(|family| family.kind == Kind::Histogram);
    let histograms: BTreeSet<_> = histograms.map(|family| family.name).collect();
    assert_eq!(histograms, counts.iter().map(|(name, _)| *name).collect());
    for (name, count) in counts {
        assert_eq!(scrape.count(&format!("{name}_count"), &[]), count, "{name}");
        assert_eq!(scrape.count(&format!("{name}_bucket"), &[("le", "+Inf")]), count, "{name}");
        let sums: Vec<f64> = scrape.with(&format!("{name}_sum"), &[]).map(|sum| sum.value.parse().unwrap()).collect();
        assert!(sums.iter().all(|sum| *sum > 0.0 && *sum < 60.0), "{name}: {sums:?}");
    }
    let streams = |stream| scrape.count("voxgate_request_duration_seconds_count", &[("stream", stream)]);
    assert_eq!((streams("true"), streams("false")), (1, 7));
    let asked = |provider| scrape.count("voxgate_provider_duration_seconds_count", &[("provider", provider)]);
    assert_eq!((asked("openai"), asked("second")), (5, 1));
}

/// Prometheus keeps every series that it has ever seen: what a client could make up would fill it.
#[tokio::test]
async fn no_client_can_make_up_a_series() {
    let second = Provider::with_keys(&[&key("second")]);
    let setup = Setup::new().single_attempt().provider("second", &second, &key("second"));
    let gateway = setup.more(SETTINGS).start().await;
    let round = async |word: &str| {
        let (any, audio) = (Account::of(&format!("sub-{word}"), "any"), audio::wav(100));
        let model = format!("model-{word}");
        assert_eq!(any.send(&gateway, Form::new().field("model", &model).file(&audio)).await.status, 200);
        let refused = Form::new().field("model", &model).field("temperature", "7").file(&audio);
        assert_eq!(any.send(&gateway, refused).await.status, 400);
        let unknown_plan = Account::of("dave", &format!("plan-{word}"));
        assert_eq!(unknown_plan.send(&gateway, Form::new().file(&audio)).await.status, 403);
        for path in [format!("/path-{word}"), format!("{TRANSLATIONS}/{word}"), format!("/docs/{word}")] {
            assert_eq!(gateway.send(gateway.get(&path)).await.status, 404);
        }
        let method = Method::from_bytes(format!("METHOD{word}").as_bytes()).unwrap();
        assert_eq!(gateway.request(method, TRANSCRIPTIONS).send().await.unwrap().status(), 405);
        let option = Form::new().field(&format!("option-{word}"), word).file(&audio);
        any.send(&gateway, option).await;
    };
    round("made-up-first").await;
    let done = |times: u64| move |scrape: &Scrape| scrape.count("voxgate_requests_total", &[]) >= 8 * times;
    let first = Scrape::when(&gateway, done(1)).await;
    for at in 0..20 {
        round(&format!("made-up-{at}")).await;
    }
    let last = Scrape::when(&gateway, done(21)).await;
    let series = |scrape: &Scrape| scrape.samples.values().map(Vec::len).sum::<usize>();
    assert_eq!(series(&first), series(&last), "{}", last.text);
    assert!(last.count("voxgate_audio_bytes_total", &[("model", "other")]) > 0);
    for word in ["made-up", "dave", "sub-"] {
        assert!(!last.text.contains(word), "{word} in {}", last.text);
    }
}

#[tokio::test]
async fn a_refusal_before_100_continue_is_counted_once() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.wire().await;
    wire.send(request_head(&token::altered(), &Form::content_type(), 1000, "Expect: 100-continue\r\n")).await;
    wire.until("}}").await;
    let scrape = Scrape::when(&gateway, |scrape| scrape.count("voxgate_requests_total", &[]) > 0).await;
    let requests = scrape.table("voxgate_requests_total", ["route", "model", "status"]);
    assert_eq!(requests, table(&[([TRANSCRIPTIONS, "none", "401"], 1)]));
    assert_eq!(scrape.table("voxgate_refusals_total", ["code"]), table(&[(["invalid_token"], 1)]));
    assert_eq!(scrape.count("voxgate_request_duration_seconds_count", &[]), 1);
}

#[tokio::test]
async fn only_the_second_listener_has_metrics_and_asks_for_no_token() {
    let gateway = Gateway::start().await;
    gateway.send(gateway.get("/metrics")).await.is_error(404, "not_found", None);
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(scrape.count("voxgate_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1);
    let post = gateway.operational("/metrics").build().unwrap().url().clone();
    let refused = reqwest::Client::builder().no_proxy().build().unwrap().post(post).send().await.unwrap();
    assert_eq!(refused.status(), 405);
}

#[tokio::test]
async fn every_family_is_on_the_page_and_in_the_documentation_with_its_labels() {
    let Busy { gateway: _gateway, scrape, .. } = Busy::gateway().await;
    let guide = include_str!("../../docs/observability.md");
    for Descriptor { name, help, labels, kind, .. } in families() {
        let written = format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str());
        assert!(scrape.text.contains(&written), "{written} is not in\n{}", scrape.text);
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{name}` | {} | {} | {help} |", kind.as_str(), labels.join(", "));
        assert!(guide.contains(&row), "docs/observability.md has no {row}");
    }
    let rows = guide.lines().filter(|line| line.starts_with("| `voxgate_")).count();
    assert_eq!(rows, families().len());
}
