//! What is so at the moment of the scrape: read from the things themselves, not kept in step.

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::Setup;
use crate::support::provider::{Framing, Gate, KEY, Reply, answer, events};
use crate::support::scrape::Scrape;
use crate::support::sender::Sender;
use crate::support::stores::durable_redis;

/// That of these states the only one that is so is `state`.
#[track_caller]
fn is_in_state(scrape: &Scrape, name: &str, labels: &[(&str, &str)], state: &str) {
    let states: Vec<_> = scrape.with(name, labels).filter(|sample| sample.value == "1").collect();
    assert_eq!(states.len(), 1, "{states:?}");
    assert_eq!(states[0].labels["state"], state, "{}", scrape.text);
}

#[tokio::test]
async fn what_is_in_flight_and_what_waits_is_seen_until_it_ends() {
    let setup =
        Setup::new().single_attempt().env("VOXGATE_SERVER__MAX_IN_FLIGHT", "2").env("VOXGATE_SERVER__MAX_QUEUE", "1");
    let gateway = setup.env("VOXGATE_SERVER__QUEUE_TIMEOUT", "20s").start().await;
    let (bob, audio, gate) = (Account::of("bob", "default"), audio::wav(10_000), Gate::closed());
    let all = Framing::PLAIN.all(&events());
    let (first, rest) = all.split_at(Framing::PLAIN.event(&events()[0]).len());
    gateway.provider.answer(Reply::stream().send(first).wait(&gate).send(rest));
    let mut stream = Sender::form(&gateway, &bob, Form::new().field("stream", "true").file(&audio)).await;
    stream.up_to(usize::MAX).await;
    gateway.provider.asked(1).await;
    let (content_type, body) = answer("json");
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let mut whole = Sender::form(&gateway, &bob, Form::new().file(&audio)).await;
    whole.up_to(usize::MAX).await;
    gateway.provider.asked(2).await;
    let mut queued = Sender::form(&gateway, &bob, Form::new().file(&audio)).await;
    queued.up_to(1000).await;

    let gauges = |scrape: &Scrape| {
        ["requests_in_flight", "streams_in_flight", "requests_queued"]
            .map(|name| scrape.count(&format!("voxgate_{name}"), &[]))
    };
    let scrape = Scrape::when(&gateway, |scrape| gauges(scrape) == [2, 1, 1]).await;
    let limits = ["requests_in_flight", "requests_queued"].map(|name| format!("voxgate_{name}_limit"));
    assert_eq!(limits.map(|name| scrape.count(&name, &[])), [2, 1]);
    // Both are larger than what is kept in memory, of which the tests have little.
    let disk = scrape.count("voxgate_spool_bytes", &[("place", "disk")]);
    assert!(disk >= u64::try_from(audio.len()).unwrap(), "{disk}");
    assert!(scrape.count("voxgate_spool_limit_bytes", &[("place", "memory")]) > 0);

    gate.open();
    gate.open();
    whole.answer().await.is_served(1);
    queued.finish().await.is_served(1);
    drop(stream);
    let quiet = |scrape: &Scrape| gauges(scrape) == [0, 0, 0] && scrape.count("voxgate_spool_bytes", &[]) == 0;
    Scrape::when(&gateway, quiet).await;
}

#[tokio::test]
async fn gauges_show_an_open_breaker_and_a_rejected_key() {
    let setup = Setup::new().env("VOXGATE_UPSTREAM__MAX_ATTEMPTS", "1").env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "2");
    let gateway = setup.env("VOXGATE_UPSTREAM__BREAKER_PAUSE", "1h").start().await;
    let (provider, key) = ([("provider", "openai")], [("provider", "openai"), ("key", "default")]);
    let ask = async || gateway.transcribe(Form::new().file(&audio::wav(300))).await;
    let now = Scrape::of(&gateway).await;
    is_in_state(&now, "voxgate_provider_breaker_state", &provider, "closed");
    is_in_state(&now, "voxgate_provider_key_state", &key, "usable");
    assert!(!now.text.contains(KEY));

    for failures in 1..=2 {
        gateway.provider.answer(Reply::error(500));
        assert_eq!(ask().await.status, 500);
        let now = Scrape::of(&gateway).await;
        assert_eq!(now.count("voxgate_provider_failures_in_a_row", &provider), failures);
        is_in_state(&now, "voxgate_provider_breaker_state", &provider, if failures < 2 { "closed" } else { "open" });
    }
    ask().await.is_error(503, "provider_unavailable", None);
    let now = Scrape::of(&gateway).await;
    assert_eq!(now.count("voxgate_provider_tries_total", &[]), 2, "nobody was asked");

    for (status, state) in [(429, "resting"), (401, "refused")] {
        let gateway = Setup::new().single_attempt().start().await;
        gateway.provider.answer(Reply::error(status).header("retry-after", "60"));
        gateway.transcribe(Form::new().file(&audio::wav(300))).await;
        is_in_state(&Scrape::of(&gateway).await, "voxgate_provider_key_state", &key, state);
    }
}

#[tokio::test]
async fn a_broken_stream_counts_as_a_provider_failure() {
    let gateway = Setup::new().single_attempt().start().await;
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).close());
    gateway.transcribe(Form::new().field("stream", "true").file(&audio::wav(300))).await;
    let ended = |scrape: &Scrape| scrape.count("voxgate_requests_total", &[]) == 1;
    let scrape = Scrape::when(&gateway, ended).await;
    assert_eq!(scrape.count("voxgate_request_outcomes_total", &[("outcome", "stream_broken")]), 1);
    assert_eq!(scrape.count("voxgate_provider_failures_total", &[("reason", "broken")]), 1);
    assert_eq!(scrape.count("voxgate_settlements_total", &[("ending", "broken")]), 1);
    assert_eq!(scrape.count("voxgate_requests_total", &[("status", "200")]), 1, "its head said so");
}

#[tokio::test]
async fn a_stream_that_ends_in_good_order_but_too_early_is_a_failure_too() {
    let begun = Framing::PLAIN.event(&events()[0]);
    let error = "data: {\"type\":\"error\",\"error\":{\"message\":\"Sorry.\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";
    for rest in ["", error] {
        let gateway = Setup::new().single_attempt().start().await;
        gateway.provider.answer(Reply::stream().send(format!("{begun}{rest}")));
        gateway.transcribe(Form::new().field("stream", "true").file(&audio::wav(300))).await;
        let ended =
            |scrape: &Scrape| scrape.count("voxgate_request_outcomes_total", &[("outcome", "stream_broken")]) == 1;
        let scrape = Scrape::when(&gateway, ended).await;
        let failures = scrape.table("voxgate_provider_failures_total", ["provider", "reason"]);
        assert_eq!(failures, [(["openai", "broken"].map(str::to_owned), 1)].into(), "{rest}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_and_what_waits_for_it_are_seen() {
    let mut server = durable_redis();
    let gateway = Setup::new().config("[store]\nmax_pending = 7").env("REDIS_URL", &server.url()).start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    is_in_state(&Scrape::of(&gateway).await, "voxgate_store_state", &[], "ready");
    server.kill();
    while gateway.provider.tries() < 3 {
        assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    }
    let scrape = Scrape::when(&gateway, |scrape| {
        scrape.count("voxgate_settlements_waiting", &[]) >= 2
            && scrape.count("voxgate_store_state", &[("state", "away")]) == 1
    });
    let scrape = scrape.await;
    assert_eq!(scrape.count("voxgate_settlements_waiting_limit", &[]), 7);
    assert!(scrape.count("voxgate_store_failures_total", &[("operation", "admit")]) >= 2, "{}", scrape.text);
    assert_eq!(scrape.count("voxgate_ready", &[]), 1, "it goes on without it");
    server.start_again();
    let back = |scrape: &Scrape| {
        scrape.count("voxgate_settlements_waiting", &[]) == 0
            && scrape.count("voxgate_store_state", &[("state", "ready")]) == 1
    };
    Scrape::when(&gateway, back).await;
}
