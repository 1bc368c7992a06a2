//! A provider that keeps failing is left alone for a while, and then tried with one request.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::money::nano_usd;
use crate::support::provider::{Framing, Gate, KEY, Provider, Reply, events};

fn setup(failures: &str, pause: &str) -> Setup {
    let setup = Setup::new().env("VOXGATE_UPSTREAM__MAX_ATTEMPTS", "1");
    setup.env("VOXGATE_UPSTREAM__BREAKER_FAILURES", failures).env("VOXGATE_UPSTREAM__BREAKER_PAUSE", pause)
}

async fn ask(gateway: &Gateway) -> Answer {
    gateway.transcribe(Form::new().file(&audio::wav(300))).await
}

/// Asks until the provider is asked again, and waits each time as long as it is told to.
async fn until_it_is_tried(gateway: &Gateway) -> Answer {
    let before = gateway.provider.tries();
    loop {
        let got = ask(gateway).await;
        if gateway.provider.tries() > before {
            return got;
        }
        got.is_error(503, "provider_unavailable", None);
        got.wait_as_told().await;
    }
}

#[tokio::test]
async fn repeated_failures_open_the_breaker_and_set_retry_after() {
    let gateway = setup("3", "1h").start().await;
    let alice = Account::of("alice", "default");
    let half = Reply::cut_short("application/json", "{");
    let failures = [Reply::error(500), half, Reply::whole(200, "text/html", "<html>")];
    for reply in failures {
        gateway.provider.answer(reply);
        assert!(alice.transcribe(&gateway, 300).await.status >= 500);
    }
    gateway.log.event("the provider keeps failing and is left alone for a while").await;
    let got = alice.transcribe(&gateway, 300).await;
    got.is_error(503, "provider_unavailable", None);
    let seconds: u64 = got.header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&seconds), "{seconds}");
    assert_eq!((got.header("x-voxgate-provider"), got.header("x-voxgate-attempts")), (None, None));
    assert_eq!(gateway.provider.tries(), 3);
    let usage = alice.settled(&gateway).await;
    assert_eq!((&usage["total"]["requests"], nano_usd(&usage["total"]["spent_usd"])), (&json!(4), 0));
}

#[tokio::test]
async fn a_success_in_between_starts_the_count_anew_and_refusals_are_not_counted() {
    let gateway = setup("2", "1h").env("VOXGATE_UPSTREAM__BACKOFF", "1ms").start().await;
    for status in [500, 200, 500, 200, 400, 404, 409, 413, 422, 200, 500] {
        if status != 200 {
            gateway.provider.answer(Reply::error(status));
        }
        assert_eq!(ask(&gateway).await.status, status);
    }
    // A refusal is no success either.
    for status in [400, 503] {
        gateway.provider.answer(Reply::error(status));
        assert_eq!(ask(&gateway).await.status, status);
    }
    ask(&gateway).await.is_error(503, "provider_unavailable", None);
}

#[tokio::test]
async fn one_successful_probe_closes_the_breaker() {
    let gateway = setup("1", "200ms").start().await;
    gateway.provider.answer_always(Reply::error(500));
    assert_eq!(ask(&gateway).await.status, 500);
    // The first trial fails as well, and the pause begins anew: the next request is refused, or comes when the new pause is
    // over and is a trial itself, as may be on a busy machine.
    let mut asked = Instant::now();
    let mut got = until_it_is_tried(&gateway).await;
    for _ in 0..100 {
        assert_eq!(got.status, 500);
        let before = asked;
        asked = Instant::now();
        got = ask(&gateway).await;
        if got.status == 503 {
            break;
        }
        assert!(before.elapsed() >= Duration::from_millis(200), "it was asked again after {:?}", before.elapsed());
    }
    got.is_error(503, "provider_unavailable", None);
    gateway.provider.recover();
    assert_eq!(until_it_is_tried(&gateway).await.status, 200);
    gateway.log.event("the provider answers again").await;
    for _ in 0..5 {
        assert_eq!(ask(&gateway).await.status, 200);
    }
}

#[tokio::test]
async fn while_one_request_probes_the_others_are_refused() {
    // The others wait as long again before one of them tries it too: long enough for some requests on a busy machine.
    let gateway = setup("1", "4s").start().await;
    gateway.provider.answer(Reply::error(500));
    assert_eq!(ask(&gateway).await.status, 500);
    let gate = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({ "text": "" })).held_by(&gate));
    let trial = until_it_is_tried(&gateway);
    let others = async {
        gateway.provider.asked(2).await;
        for _ in 0..3 {
            let got = ask(&gateway).await;
            got.is_error(503, "provider_unavailable", None);
            assert_eq!(got.header("retry-after"), Some("1"));
        }
        gate.open();
    };
    let (trial, ()) = tokio::join!(trial, others);
    assert_eq!((trial.status, gateway.provider.tries()), (200, 2));
    assert_eq!(ask(&gateway).await.status, 200);
}

#[tokio::test]
async fn a_cancelled_probe_lets_the_next_request_probe() {
    let gateway = setup("1", "200ms").start().await;
    gateway.provider.answer(Reply::error(500));
    assert_eq!(ask(&gateway).await.status, 500);
    gateway.provider.answer(Reply::stream().held_by(&Gate::closed()));
    tokio::select! {
        _ = until_it_is_tried(&gateway) => panic!("nobody answers"),
        () = gateway.provider.asked(2) => {}
    }
    gateway.provider.hung_up(1).await;
    assert_eq!(until_it_is_tried(&gateway).await.status, 200);
}

#[tokio::test]
async fn a_stream_that_breaks_is_a_failure_too() {
    let gateway = setup("2", "1h").start().await;
    for _ in 0..2 {
        gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).close());
        let form = Form::new().field("stream", "true").file(&audio::wav(300));
        assert!(gateway.transcribe(form).await.text().contains("provider_stream_broken"));
    }
    ask(&gateway).await.is_error(503, "provider_unavailable", None);
}

#[tokio::test]
async fn an_open_breaker_goes_straight_to_the_fallback() {
    let second = Provider::start();
    let toml = "[models.gpt-transcribe]\nfallbacks = [\"stand-in\"]\n[models.stand-in]\nprovider = \"second\"";
    let setup = setup("1", "1h").env("VOXGATE_UPSTREAM__MAX_ATTEMPTS", "3");
    let gateway = setup.provider("second", &second, KEY).more(toml).start().await;
    gateway.provider.answer_always(Reply::error(500));
    assert_eq!(ask(&gateway).await.served(), ("second", 2));
    for _ in 0..3 {
        assert_eq!(ask(&gateway).await.served(), ("second", 1));
    }
    assert_eq!((gateway.provider.tries(), second.tries()), (1, 4));
}

#[tokio::test]
async fn it_can_be_turned_off() {
    let gateway = setup("0", "1h").start().await;
    gateway.provider.answer_always(Reply::error(500));
    for _ in 0..8 {
        assert_eq!(ask(&gateway).await.status, 500);
    }
    assert_eq!(gateway.provider.tries(), 8);
}
