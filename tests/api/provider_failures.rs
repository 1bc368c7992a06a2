//! What a provider, or a client, could do to the gateway's tries, and to what they cost.

use std::time::Duration;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::poll::{let_pass, until};
use crate::support::provider::{Gate, Reply};
use crate::support::scrape::Scrape;
use crate::support::sender::{Sender, send_half};

#[tokio::test]
async fn a_wait_that_no_clock_can_count_is_a_long_one() {
    for (name, value) in [("retry-after", "9300000000000000000"), ("retry-after-ms", "1e22")] {
        let gateway = Setup::new().short_backoff().start().await;
        gateway.provider.answer_always(Reply::error(503).header(name, value));
        let got = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
        got.is_error(503, "from_provider", None);
        assert_eq!(gateway.provider.tries(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_breaks_after_it_has_worked_was_asked() {
    let gateway = Setup::new().single_attempt().env("VOXGATE_SERVER__WORKERS", "1").start().await;
    let ask = || gateway.transcribe(Form::new().file(&audio::wav(300)));
    assert_eq!(ask().await.status, 200);
    // On the connection of before, and not at once: it had the recording all that time.
    let gate = Gate::closed();
    gateway.provider.answer(Reply::hang_up().held_by(&gate));
    let after_a_while = async {
        gateway.provider.asked(2).await;
        let_pass(Duration::from_millis(2500)).await;
        gate.open();
    };
    let (got, ()) = tokio::join!(ask(), after_a_while);
    assert_eq!(gateway.provider.tries(), 2, "it was asked once, as is set");
    got.is_error(502, "provider_error", None);
}

#[tokio::test]
async fn a_client_that_is_slow_does_not_keep_a_provider_from_the_others() {
    let setup = Setup::new().single_attempt().env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "1");
    let gateway = setup.env("VOXGATE_UPSTREAM__BREAKER_PAUSE", "500ms").start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    gateway.provider.answer(Reply::error(500));
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 500);
    let tried_again = |scrape: &Scrape| scrape.count("voxgate_provider_breaker_state", &[("state", "open")]) == 0;
    Scrape::when(&gateway, tried_again).await;
    let mut slow = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    send_half(&gateway, &mut slow, &audio, 1).await;
    // It is the one that tries the provider, and nobody knows when the rest of it comes.
    until("another one may try", async || {
        let got = alice.transcribe(&gateway, 300).await;
        if got.status == 200 { Ok(()) } else { Err(got.text().to_owned()) }
    })
    .await;
    slow.finish().await.is_served(1);
}

#[tokio::test]
async fn a_client_whose_deadline_passes_pays_like_one_who_leaves() {
    let gateway = Gateway::start().await;
    gateway.provider.answer(Reply::stream().held_by(&Gate::closed()));
    let alice = Account::of("alice", "default");
    let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(alice.token());
    let form = Form::new().file(&audio::wav(3000));
    let got = gateway.send(form.on(request.header("x-request-timeout-ms", "2000"))).await;
    got.is_error(504, "provider_timeout", None);
    // The provider has all of the recording and is at work on it.
    assert_eq!(gateway.provider.requests(), 1);
    assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 3 * GPT_TRANSCRIBE);
}

#[tokio::test]
async fn a_try_that_failed_before_the_whole_was_there_counts() {
    let gateway = Setup::new().short_backoff().start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    gateway.provider.answer(Reply::error(503).header("retry-after-ms", "5000").in_mid_upload(50_000));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio).field("temperature", "0.5")).await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    gateway.log.event("a try failed").await;
    sender.finish().await.is_served(2);
}

#[tokio::test]
async fn a_limit_on_silence_does_not_run_while_the_client_is_sending() {
    let gateway = Gateway::start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    for file_last in [true, false] {
        let form = Form::new().field("model", "gpt-transcribe");
        let form =
            if file_last { form.file(&audio) } else { Form::new().file(&audio).field("model", "gpt-transcribe") };
        let more = "X-Stainless-Read-Timeout: 2\r\n";
        let mut sender = Sender::begin(&gateway, &alice, &Form::content_type(), form.bytes(), more).await;
        for part in 1..6 {
            sender.up_to(audio.len() * part / 6).await;
            let_pass(Duration::from_millis(500)).await;
        }
        sender.finish().await.is_served(1);
    }
}

#[tokio::test]
async fn a_provider_that_gives_up_on_a_slow_client_has_not_failed() {
    let gateway = Setup::new().single_attempt().env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "1").start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    gateway.provider.answer(Reply::hang_up_in_mid_upload(50_000));
    let mut slow = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    slow.up_to(audio.len() / 2).await;
    gateway.log.event("a recording went out too slowly").await;
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
    // It is asked again when all of the recording is there.
    slow.finish().await.is_served(2);
    assert_eq!(gateway.provider.tries(), 3);
}
