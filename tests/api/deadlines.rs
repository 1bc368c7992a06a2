//! How long a client waits: all tries together, and no longer than it says itself.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::money::nano_usd;
use crate::support::poll::let_pass;
use crate::support::provider::{Framing, Gate, Reply, events};

async fn ask(gateway: &Gateway, stream: bool, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(gateway.post(TRANSCRIPTIONS), |request, (name, value)| request.header(*name, *value));
    let form = Form::new().field("stream", &stream.to_string()).file(&audio::wav(300));
    gateway.send(form.on(request)).await
}

#[tokio::test]
async fn a_client_can_say_how_long_it_waits() {
    let gateway = Gateway::start().await;
    gateway.provider.answer_always(Reply::stream().held_by(&Gate::closed()));
    // Enough for the provider to be asked in that time on a busy machine.
    let limits = [
        ("x-request-timeout-ms", "3000"),
        ("x-stainless-timeout", "3.2"),
        ("X-Stainless-Read-Timeout", "3.2"),
        ("x-stainless-timeout", "3"),
    ];
    let all = limits.iter().flat_map(|limit| [(limit, false), (limit, true)]);
    let gateway = &gateway;
    let asked = join_all(all.map(|(limit, stream)| async move {
        let got = ask(gateway, stream, &[*limit]).await;
        got.is_error(504, "provider_timeout", None);
        // It is not tried again: the time is over.
        assert_eq!(got.served(), ("openai", 1), "{limit:?}");
    }));
    gateway.provider.hung_up(asked.await.len()).await;
}

#[tokio::test]
async fn an_invalid_timeout_is_ignored_from_an_sdk_and_refused_from_a_client() {
    let gateway = Gateway::start().await;
    for nonsense in ["0", "-1", "never", "1e300", "NaN"] {
        assert_eq!(ask(&gateway, false, &[("x-stainless-timeout", nonsense)]).await.status, 200, "{nonsense}");
        let got = ask(&gateway, false, &[("x-request-timeout-ms", nonsense)]).await;
        got.is_error(400, "invalid_value", Some("x-request-timeout-ms"));
    }
    // No client can have more time than there is.
    let all = [("x-stainless-timeout", "86400"), ("x-request-timeout-ms", "18446744073709551615")];
    assert_eq!(ask(&gateway, false, &all).await.status, 200);
}

#[tokio::test]
async fn attempts_share_one_deadline_and_no_wait_exceeds_it() {
    let gateway = Gateway::start().await;
    // The second wait would fit into the time that there is for all, and not into what is left of it.
    gateway.provider.answer(Reply::error(503).header("retry-after-ms", "1500"));
    gateway.provider.answer(Reply::error(503).header("retry-after-ms", "19000"));
    let got = ask(&gateway, false, &[("x-request-timeout-ms", "20000")]).await;
    // The provider's own word, and when to come back, rather than a timeout later.
    got.is_error(503, "from_provider", None);
    assert_eq!((got.served(), got.header("retry-after-ms")), (("openai", 2), Some("19000")));
}

#[tokio::test]
async fn a_later_try_has_only_what_is_left_of_the_time() {
    let gateway = Setup::new().env("VOXGATE_UPSTREAM__RESPONSE_TIMEOUT", "5s").start().await;
    let alice = Account::of("alice", "default");
    gateway.provider.answer(Reply::error(503).header("retry-after-ms", "3000"));
    let gate = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({ "text": "" })).held_by(&gate));
    // The second try has two seconds left. With a time of its own it would get this answer.
    let too_late = async {
        gateway.provider.asked(2).await;
        let_pass(Duration::from_secs(4)).await;
        gate.open();
    };
    let (got, ()) = tokio::join!(alice.transcribe(&gateway, 3000), too_late);
    got.is_error(504, "provider_timeout", None);
    assert_eq!(got.served(), ("openai", 2));
    assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 0);
}

#[tokio::test]
async fn a_client_timeout_does_not_bound_a_stream_that_has_begun() {
    let gateway = Gateway::start().await;
    let all = Framing::PLAIN.all(&events());
    let (first, rest) = all.split_at(Framing::PLAIN.event(&events()[0]).len());
    let gate = Gate::closed();
    gateway.provider.answer(Reply::stream().send(first).wait(&gate).send(rest));
    let form = Form::new().field("stream", "true").file(&audio::wav(300));
    let request = gateway.post(TRANSCRIPTIONS).header("x-request-timeout-ms", "2000");
    let mut stream = gateway.open(form.on(request)).await;
    assert_eq!(stream.until("\n\n").await, first);
    // Here time is what it is about.
    let_pass(Duration::from_millis(2100)).await;
    gate.open();
    assert_eq!(stream.rest().await, format!("{rest}data: [DONE]\n\n"));
}

#[tokio::test]
async fn an_sdk_that_gets_a_keep_alive_in_time_goes_on_waiting() {
    let gateway = Gateway::with(&[("VOXGATE_RELAY__KEEP_ALIVE", "100ms")]).await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::stream().wait(&gate).send(Framing::PLAIN.all(&events())));
    let form = Form::new().field("stream", "true").file(&audio::wav(300));
    let request = gateway.post(TRANSCRIPTIONS).header("x-stainless-timeout", "1");
    let mut stream = gateway.open(form.on(request)).await;
    // More than a second of them.
    for _ in 0..12 {
        stream.until(": keep-alive\n\n").await;
    }
    gate.open();
    assert!(stream.rest().await.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn clients_in_a_hurry_do_not_make_a_provider_look_broken() {
    let gateway = Gateway::with(&[("VOXGATE_UPSTREAM__BREAKER_FAILURES", "1")]).await;
    gateway.provider.answer(Reply::json(200, &json!({})).held_by(&Gate::closed()));
    ask(&gateway, false, &[("x-request-timeout-ms", "2000")]).await.is_error(504, "provider_timeout", None);
    assert_eq!(ask(&gateway, false, &[]).await.status, 200);
}
