//! A large recording goes to the provider while it is still arriving, and is whole there only when it is whole here.

use serde_json::json;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::{BodyForm, Form};
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{End, Reply, answer};
use crate::support::sender::{ON_THE_WAY, Sender, send_half};

#[tokio::test]
async fn the_provider_has_the_beginning_before_the_client_has_sent_the_rest() {
    let gateway = Gateway::start().await;
    let alice = Account::of("alice", "default");
    let mut requests = 0;
    for (kind, audio, ms) in audio::of_known_length() {
        for raw in [false, true] {
            let mut sender = if raw {
                Sender::raw(&gateway, &alice, audio.clone()).await
            } else {
                Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await
            };
            send_half(&gateway, &mut sender, &audio, requests).await;
            // The last byte of a raw body is that of the recording; that of a form is not, and tells that it is one.
            sender.all_but(1).await;
            let uploaded = gateway.provider.receives(requests, audio.len() - ON_THE_WAY).await;
            assert!(uploaded.received < uploaded.announced && uploaded.end == End::Open, "{kind}: {uploaded:?}");

            let got = sender.finish().await;
            got.is_served(1);
            assert_eq!(got.body, answer("json").1);
            requests += 1;
            assert_eq!(gateway.provider.requests(), requests);
            assert!(gateway.provider.last().file().body == audio, "{kind}: it was changed on its way");
            let record = gateway.log.request(got.header("x-request-id")).await;
            let facts = [&record["container"], &record["audio_ms"], &record["bytes"], &record["attempts"]];
            assert_eq!(facts, [&json!(kind), &json!(ms), &json!(audio.len()), &json!(1)], "{record}");
        }
    }
    assert!(gateway.provider.uploads().iter().all(|upload| upload.end == End::Whole));
}

#[tokio::test]
async fn a_stream_overlaps_too_however_it_was_asked_for() {
    let gateway = Gateway::start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let accept = "Accept: text/event-stream\r\n";
    for (at, (form, more)) in [(Form::new().field("stream", "true"), ""), (Form::new(), accept)].into_iter().enumerate()
    {
        let body = form.field("model", "gpt-transcribe").file(&audio).bytes();
        let mut sender = Sender::begin(&gateway, &alice, &Form::content_type(), body, more).await;
        send_half(&gateway, &mut sender, &audio, at).await;
        let got = sender.finish().await;
        got.is_served(1);
        assert!(got.body.contains("data: [DONE]\n\n"), "{got:?}");
        let record = gateway.log.request(got.header("x-request-id")).await;
        assert_eq!((&record["stream"], &record["audio_ms"]), (&json!(true), &json!(10_000)), "{record}");
        assert_eq!(gateway.provider.last().field("stream"), Some("true"));
    }
}

#[tokio::test]
async fn what_tells_too_little_in_advance_is_sent_when_it_is_whole() {
    let audio = audio::wav(10_000);
    let json = json!({ "model": "gpt-transcribe", "audio": base64(&audio) }).to_string().into_bytes();
    let form = Form::content_type();
    let bodies = [
        ("JSON", "application/json", json),
        ("a small recording", "audio/wav", audio::wav(8000)),
        ("no model yet", &form, Form::new().file(&audio).field("model", "gpt-transcribe").bytes()),
        ("no model at all", &form, Form::new().file(&audio).bytes()),
        ("a wrong option so far", &form, Form::new().field("temperature", "7").bytes()),
    ];
    // A worker that serves another request has seen what came before.
    let gateway = Gateway::with(&[("VOXGATE_SERVER__WORKERS", "1")]).await;
    for (case, content_type, body) in bodies {
        let sender = Sender::begin(&gateway, &Account::of("alice", "default"), content_type, body, "").await;
        goes_out_whole(&gateway, case, sender).await;
    }
    let body = Form::model_then_file(&audio).bytes();
    let sender = Sender::chunked(&gateway, &Account::of("alice", "default"), &form, &body).await;
    goes_out_whole(&gateway, "no size", sender).await;
    let variables = [("VOXGATE_SERVER__WORKERS", "1"), ("VOXGATE_INTAKE__OVERLAP", "false")];
    let gateway = Gateway::with(&variables).await;
    let sender = Sender::form(&gateway, &Account::of("alice", "default"), Form::model_then_file(&audio)).await;
    goes_out_whole(&gateway, "overlap = false", sender).await;
}

fn base64(audio: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(audio)
}

async fn goes_out_whole(gateway: &Gateway, case: &str, mut sender: Sender) {
    let before = gateway.provider.uploads().len();
    sender.all_but(1).await;
    assert_eq!(gateway.transcribe(Form::new().file(&audio::wav(300))).await.status, 200);
    assert_eq!(gateway.provider.uploads().len(), before + 1, "{case}: it went out before it was whole");
    let got = sender.finish().await;
    if got.status != 400 {
        got.is_served(1);
        assert_eq!(gateway.provider.uploads().len(), before + 2, "{case}");
    }
}

#[tokio::test]
async fn a_field_after_the_recording_is_honoured_in_one_request() {
    let gateway = Setup::new().config("[plans.two]\nrequests_per_minute = 2\nburst = 2\n").start().await;
    let audio = audio::wav(10_000);
    for (at, stream) in ["false", "true"].into_iter().enumerate() {
        let alice = Account::of(&format!("alice-{at}"), "two");
        let form = Form::model_then_file(&audio).field("language", "en").field("stream", stream);
        let mut sender = Sender::form(&gateway, &alice, form).await;
        send_half(&gateway, &mut sender, &audio, 2 * at).await;
        let got = sender.finish().await;
        got.is_served(1);
        assert_eq!(got.header("x-ratelimit-remaining-requests"), "1");
        assert_eq!(got.header("content-type").starts_with("text/event-stream"), stream == "true");
        let given_up = gateway.provider.given_up(2 * at).await;
        assert!(given_up.received < given_up.announced);
        // The whole of it was sent once, with the field.
        assert_eq!(gateway.provider.requests(), at + 1);
        let sent = gateway.provider.last();
        assert_eq!((sent.field("language"), sent.file().body == audio), (Some("en"), true));
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"], json!({ "requests": 1, "audio_ms": 10_000, "spent_usd": "0.00075" }));
        let record = gateway.log.request(got.header("x-request-id")).await;
        assert_eq!((&record["attempts"], &record["audio_ms"]), (&json!(1), &json!(10_000)), "{record}");
    }
}

#[tokio::test]
async fn what_is_around_the_parts_of_a_form_changes_nothing() {
    let gateway = Gateway::start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let form = Form::model_then_file(&audio).bytes();
    let without_line_break = form.strip_suffix(b"\r\n").unwrap().to_vec();
    let bodies = [
        without_line_break,
        [&form, &b"an epilogue\r\n\r\n"[..]].concat(),
        [&b"a preamble\r\n\r\nof two lines\r\n"[..], &form].concat(),
    ];
    for body in bodies {
        let before = gateway.provider.uploads().len();
        let mut sender = Sender::begin(&gateway, &alice, &Form::content_type(), body, "").await;
        send_half(&gateway, &mut sender, &audio, before).await;
        sender.finish().await.is_served(1);
        assert!(gateway.provider.last().file().body == audio);
    }
    assert_eq!(gateway.provider.requests(), 3);
}

#[tokio::test]
async fn the_largest_recording_may_have_fields_after_it() {
    let gateway = Gateway::with(&[("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "320044")]).await;
    let (audio, larger) = (audio::wav(10_000), audio::wav_of_bytes(320_045));
    for fields in [&[][..], &[("language", "en")], &[("prompt", "many words "), ("language", "en")]] {
        let got = gateway.transcribe(Form::model_then_file(&audio).fields(fields)).await;
        assert_eq!(got.status, 200, "{}", got.text());
        gateway.transcribe(Form::model_then_file(&larger).fields(fields)).await.is_error(
            413,
            "file_too_large",
            Some("file"),
        );
    }
}

#[tokio::test]
async fn every_form_of_a_large_recording_is_the_same_to_the_provider() {
    let gateway = Gateway::start().await;
    for (kind, audio, _) in audio::of_known_length() {
        for form in BodyForm::ALL {
            let options = [("model", "gpt-transcribe"), ("language", "en")];
            let got = gateway.send(form.on(gateway.post(TRANSCRIPTIONS), &options, &audio)).await;
            assert_eq!((got.status, got.served().1), (200, 1), "{kind} {form:?}: {}", got.text());
            let sent = gateway.provider.last();
            assert_eq!((sent.field("language"), sent.file().body == audio), (Some("en"), true), "{kind} {form:?}");
        }
    }
    assert_eq!(gateway.provider.requests(), 24, "each was sent whole once");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_recording_is_whole_waits_for_it() {
    let gateway = Gateway::start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    let (content_type, body) = answer("json");
    gateway.provider.answer(Reply::whole(200, content_type, body.clone()).in_mid_upload(50_000));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
    sender.up_to(audio.len() / 2).await;
    gateway.provider.asked(1).await;
    let got = sender.finish().await;
    got.is_served(1);
    assert_eq!(got.body, body);
    // Not so where the recording turns out to be none: the answer was given for what it is not.
    let broken = [&audio[..36], b"LIST", &audio[40..]].concat();
    gateway.provider.answer(Reply::whole(200, content_type, body).in_mid_upload(50_000));
    let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&broken)).await;
    sender.up_to(audio.len() / 2).await;
    gateway.provider.asked(2).await;
    sender.finish().await.is_error(400, "invalid_audio");
    assert_eq!(alice.settled(&gateway).await["total"]["audio_ms"], 10_000);
}
