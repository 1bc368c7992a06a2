//! What goes wrong while a recording is arriving and being sent on: clients that go, providers that refuse, forms that break.

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::open_files::wait_until_closed;
use crate::support::provider::{End, Reply};
use crate::support::scrape::Scrape;
use crate::support::sender::{Sender, send_half};
use crate::support::stores::with_each_store;

/// One request at a time: of a caller, and in all.
fn narrow() -> Setup {
    let setup = Setup::new().short_backoff().config("[plans.default]\nmax_concurrent = 1\n");
    setup.env("VOXGATE_SERVER__MAX_IN_FLIGHT", "1").env("VOXGATE_SERVER__MAX_QUEUE", "0")
}

fn total(usage: &Value) -> (u64, u64) {
    (usage["total"]["requests"].as_u64().unwrap(), nano_usd(&usage["total"]["spent_usd"]))
}

/// No provider was sent any request to its end, nothing was charged, and there is room for the next.
async fn came_to_nothing(gateway: &Gateway, alice: &Account) {
    for at in 0..gateway.provider.uploads().len() {
        let given_up = gateway.provider.given_up(at).await;
        assert!(given_up.received < given_up.announced);
    }
    wait_until_closed(gateway).await;
    assert_eq!(total(&alice.settled(gateway).await), (1, 0));
    assert_eq!(alice.transcribe(gateway, 300).await.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_takes_the_providers_request_with_it() {
    for (gateway, _redis) in with_each_store(narrow).await {
        let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
        let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
        send_half(&gateway, &mut sender, &audio, 0).await;
        // It is charged while it is under way.
        let usage = alice.usage(&gateway).await;
        assert_eq!((&usage["open"]["requests"], total(&usage).1), (&json!(1), 10 * GPT_TRANSCRIBE));
        sender.all_but(1).await;
        drop(sender);
        gateway.provider.given_up(0).await;
        gateway.log.recorded(1).await;
        // What it claimed to be was never sent on.
        let scrape = Scrape::of(&gateway).await;
        let sent_on = ["seconds", "bytes"].map(|unit| scrape.count(&format!("voxgate_audio_{unit}_total"), &[]));
        assert_eq!(sent_on, [0, 0]);
        came_to_nothing(&gateway, &alice).await;
    }
}

#[tokio::test]
async fn a_client_that_sends_less_than_it_announced_is_given_up() {
    let gateway = narrow().env("VOXGATE_INTAKE__IDLE_TIMEOUT", "500ms").start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let announced = (audio.clone(), audio.len() + 100);
    let mut sender = Sender::announcing(&gateway, &alice, "audio/wav", announced, "").await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    sender.finish().await.is_error(408, "request_timeout");
    came_to_nothing(&gateway, &alice).await;
}

#[tokio::test]
async fn what_is_sent_beyond_what_was_announced_is_no_part_of_the_recording() {
    let gateway = narrow().start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let body = ([&audio[..], b"and more"].concat(), audio.len());
    let mut sender = Sender::announcing(&gateway, &alice, "audio/wav", body, "").await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    sender.finish().await.is_served(1);
    assert!(gateway.provider.last().file().body == audio);
    assert_eq!(total(&alice.settled(&gateway).await), (1, 10 * GPT_TRANSCRIBE));
}

#[tokio::test]
async fn a_form_that_breaks_at_its_end_never_is_whole_at_the_provider() {
    let audio = audio::wav(10_000);
    let whole = Form::model_then_file(&audio);
    let mut pretender = audio.clone();
    pretender[36..40].copy_from_slice(b"LIST");
    let faults = [
        ("no delimiter at its end", [&whole.clone().without_end()[..], b"--wrong--\r\n"].concat(), "incomplete_body"),
        ("a second recording", whole.clone().file(b"RIFF").bytes(), "duplicate_parameter"),
        ("a second model", whole.clone().field("model", "whisper-1").bytes(), "duplicate_parameter"),
        ("a wrong option", whole.clone().field("temperature", "7").bytes(), "invalid_value"),
        ("an option that the model has not", whole.clone().field("include[]", "logprobs").bytes(), "unsupported_value"),
        ("a beginning of a WAV without any sound", Form::model_then_file(&pretender).bytes(), "invalid_audio"),
    ];
    for (fault, body, code) in faults {
        let (gateway, alice) = (narrow().start().await, Account::of("alice", "default"));
        let mut sender = Sender::begin(&gateway, &alice, &Form::content_type(), body, "").await;
        send_half(&gateway, &mut sender, &audio, 0).await;
        let got = sender.finish().await;
        assert!(got.status == 400, "{fault}: {got:?}");
        got.is_error(400, code);
        assert_eq!(gateway.provider.requests(), 0, "{fault}");
        came_to_nothing(&gateway, &alice).await;
    }
}

#[tokio::test]
async fn words_that_begin_like_a_recording_are_never_whole_at_a_provider() {
    let gateway = narrow().start().await;
    let alice = Account::of("alice", "default");
    let words = [&audio::wav(10)[..36], &b"only words, ".repeat(30_000)].concat();
    let mut sender = Sender::raw(&gateway, &alice, words.clone()).await;
    sender.up_to(words.len() / 2).await;
    sender.finish().await.is_error(400, "invalid_audio");
    assert_eq!(gateway.provider.requests(), 0);
    wait_until_closed(&gateway).await;
    assert_eq!(total(&alice.settled(&gateway).await).1, 0);
}

#[tokio::test]
async fn what_a_provider_refuses_in_mid_upload_the_client_is_told_in_mid_upload() {
    let refusals = [
        (Reply::error(401), 502, "provider_auth_failed"),
        (Reply::error(413), 413, "from_provider"),
        (Reply::whole(413, "text/html", "<html>Too large"), 413, "file_too_large"),
        (Reply::error(500), 500, "from_provider"),
    ];
    for (reply, status, code) in refusals {
        let gateway = narrow().single_attempt().start().await;
        let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
        gateway.provider.answer(reply.in_mid_upload(50_000));
        let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
        sender.up_to(audio.len() / 2).await;
        let got = sender.answer().await;
        got.is_error(status, code);
        assert_eq!(got.header("x-voxgate-attempts"), "1");
        assert_eq!(total(&alice.settled(&gateway).await), (1, 0));
        assert_eq!(gateway.provider.requests(), 0);
        drop(sender);
        gateway.provider.given_up(0).await;
        wait_until_closed(&gateway).await;
    }
}

#[tokio::test]
async fn an_upload_that_the_provider_breaks_off_is_repeated_whole() {
    for (gateway, _redis) in with_each_store(narrow).await {
        let (alice, audio) = (Account::of("alice", "default"), audio::wav(20_000));
        gateway.provider.answer(Reply::hang_up_in_mid_upload(50_000));
        gateway.provider.answer(Reply::error(503).in_mid_upload(100_000));
        let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
        sender.up_to(audio.len() / 2).await;
        gateway.log.event("a recording went out too slowly").await;
        assert_eq!(gateway.provider.uploads().len(), 1, "it would be too slow again");
        sender.finish().await.is_served(3);
        assert_eq!((gateway.provider.requests(), gateway.provider.tries()), (1, 3));
        assert!(gateway.provider.last().file().body == audio);
        assert_eq!(total(&alice.settled(&gateway).await), (1, 20 * GPT_TRANSCRIBE));
        wait_until_closed(&gateway).await;
    }
}

#[tokio::test]
async fn a_provider_that_fails_when_it_has_the_whole_is_asked_again() {
    let gateway = narrow().start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    gateway.provider.answer(Reply::error(500));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    sender.finish().await.is_served(2);
    assert!(gateway.provider.all().iter().all(|seen| seen.file().body == audio));
    assert_eq!(total(&alice.settled(&gateway).await), (1, 10 * GPT_TRANSCRIBE));
    assert!(gateway.provider.uploads().iter().all(|upload| upload.end == End::Whole));
}

#[tokio::test]
async fn a_slow_upload_does_not_count_against_the_provider() {
    let setup = narrow().single_attempt().env("VOXGATE_UPSTREAM__RESPONSE_TIMEOUT", "3s");
    let gateway = setup.env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "1").start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    send_half(&gateway, &mut sender, &audio, 0).await;
    sender.answer().await.is_error(504, "provider_timeout");
    drop(sender);
    came_to_nothing(&gateway, &alice).await;
}
