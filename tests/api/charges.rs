//! What a request is charged in the end, whatever the client asked for and however it ended.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::Setup;
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::provider::{Framing, Gate, Reply, events};
use crate::support::redis_server::Server;
use crate::support::stores::with_each_store;
use crate::support::wire::request_head;
use crate::support::{audio, token};

const WHISPER: u64 = 100_000;

#[tokio::test]
async fn every_format_is_charged_by_the_report_or_else_by_the_measured_audio() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let cases = [
            // The provider reports tokens of a model that is priced by the minute: the minutes count.
            ("gpt-transcribe", "json", "false", 3 * GPT_TRANSCRIBE),
            ("gpt-transcribe", "text", "false", 3 * GPT_TRANSCRIBE),
            ("gpt-transcribe", "json", "true", 3 * GPT_TRANSCRIBE),
            ("gpt-transcribe", "text", "true", 3 * GPT_TRANSCRIBE),
            // 14 × 2.50 + 45 × 10.00 dollars a million.
            ("gpt-4o-transcribe", "json", "false", 485_000),
            ("gpt-4o-transcribe", "json", "true", 485_000),
            // No report.
            ("gpt-4o-transcribe", "text", "false", 300_000),
            ("whisper-1", "srt", "false", 3 * WHISPER),
            ("whisper-1", "vtt", "true", 3 * WHISPER),
            // It reports two seconds.
            ("whisper-1", "verbose_json", "false", 2 * WHISPER),
            ("whisper-1", "verbose_json", "true", 2 * WHISPER),
            ("gpt-4o-transcribe-diarize", "diarized_json", "false", 200_000),
        ];
        for (at, (model, format, stream, cost)) in cases.into_iter().enumerate() {
            let alice = Account::of(&format!("alice-{at}"), "default");
            let form = Form::new().fields(&[("model", model), ("response_format", format), ("stream", stream)]);
            let answer = alice.send(&gateway, form.file(&audio::wav(3000))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let usage = alice.settled(&gateway).await;
            let what = format!("{model} {format} stream={stream}: {usage}");
            assert_eq!(nano_usd(&usage["total"]["spent_usd"]), cost, "{what}");
            // Seconds that are reported count for the budget of audio too.
            let audio = if format == "verbose_json" || format == "diarized_json" { 2000 } else { 3000 };
            assert_eq!(usage["total"]["audio_ms"], audio, "{what}");
            assert_eq!(usage["by_model"][0]["model"], model, "{what}");
            assert_eq!(usage["by_day"][0]["spent_usd"], usage["total"]["spent_usd"], "{what}");
        }
    }
}

#[tokio::test]
async fn a_long_prompt_is_paid_for_whatever_format_is_asked_for() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let prompt = "x".repeat(10_000);
        // By the report: 14 and 45 tokens. Without one: a second of audio, and a token for each byte of the prompt.
        for (format, cost) in [("json", 485_000), ("text", 100_000 + 10_000 * 2500)] {
            let alice = Account::of(&format!("alice-{format}"), "default");
            let fields = [("model", "gpt-4o-transcribe"), ("response_format", format), ("prompt", &prompt)];
            let form = Form::new().fields(&fields).file(&audio::wav(1000));
            assert_eq!(alice.send(&gateway, form).await.status, 200);
            assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), cost, "{format}");
        }
    }
}

#[tokio::test]
async fn what_is_said_in_a_recording_is_no_report_of_usage() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        for (at, stream) in ["false", "true"].into_iter().enumerate() {
            gateway.provider.answer(Reply::whole(200, "text/plain", "{\"usage\":{\"seconds\":0}}"));
            let alice = Account::of(&format!("alice-{at}"), "default");
            let fields = [("model", "whisper-1"), ("response_format", "text"), ("stream", stream)];
            assert_eq!(alice.send(&gateway, Form::new().fields(&fields).file(&audio::wav(3000))).await.status, 200);
            let usage = alice.settled(&gateway).await;
            assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 3 * WHISPER, "{usage}");
        }
    }
}

#[tokio::test]
async fn an_absurd_report_is_none_and_harms_nobody() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let reports = [
            json!({ "type": "duration", "seconds": 1e16 }),
            json!({ "input_tokens": 1_000_000_000_000_000_u64, "output_tokens": 1 }),
            // Nobody hears a week of audio in three seconds, nor writes a million tokens about it.
            json!({ "type": "duration", "seconds": 604_799 }),
            json!({ "type": "duration", "seconds": 67 }),
            json!({ "input_tokens": 30, "output_tokens": 1_000_000 }),
        ];
        for (at, report) in reports.into_iter().enumerate() {
            gateway.provider.answer(Reply::json(200, &json!({ "text": "x", "usage": report })));
            let alice = Account::of(&format!("alice-{at}"), "default");
            let form = Form::new().field("model", "gpt-4o-transcribe").file(&audio::wav(3000));
            assert_eq!(alice.send(&gateway, form).await.status, 200);
            assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 300_000);
        }
    }
}

#[tokio::test]
async fn a_report_is_believed_up_to_twice_the_recording_and_a_minute() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        gateway
            .provider
            .answer(Reply::json(200, &json!({ "text": "x", "usage": { "type": "duration", "seconds": 66 } })));
        let alice = Account::of("alice", "default");
        let form = Form::new().field("model", "whisper-1").file(&audio::wav(3000));
        assert_eq!(alice.send(&gateway, form).await.status, 200);
        assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 66 * WHISPER);
    }
}

#[tokio::test]
async fn samples_of_known_speakers_are_charged_like_the_recording() {
    // Ten seconds, and a token for each byte of their names.
    let sample = |ms| format!("data:audio/wav;base64,{}", STANDARD.encode(audio::wav(ms)));
    let (ann, bob) = (sample(4000), sample(3000));
    let speakers = [
        ("model", "gpt-4o-transcribe-diarize"),
        ("response_format", "text"),
        ("known_speaker_names[]", "Ann"),
        ("known_speaker_references[]", &ann),
        ("known_speaker_names[]", "Bob"),
        ("known_speaker_references[]", &bob),
    ];
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let alice = Account::of("alice", "default");
        let answer = alice.send(&gateway, Form::new().fields(&speakers).file(&audio::wav(3000))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"]["audio_ms"], 10_000, "{usage}");
        assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 10 * WHISPER + 6 * 2500, "{usage}");
    }
}

#[tokio::test]
async fn a_sample_of_a_speaker_that_is_no_audio_is_refused_and_costs_nothing() {
    let gateway = Setup::new().start().await;
    for sample in ["data:audio/wav;base64,dGV4dA==", "data:audio/wav,RIFF", "data:audio/wav;base64,%%%"] {
        let speakers = [
            ("model", "gpt-4o-transcribe-diarize"),
            ("known_speaker_names[]", "Ann"),
            ("known_speaker_references[]", sample),
        ];
        let alice = Account::of("alice", "default");
        let answer = alice.send(&gateway, Form::new().fields(&speakers).file(&audio::wav(3000))).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("known_speaker_references")));
        assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 0);
    }
}

#[tokio::test]
async fn requests_that_outlast_the_shutdown_are_settled_as_left() {
    let server = Server::start();
    let setup = Setup::new().env("REDIS_URL", &server.url()).env("VOXGATE_SERVER__SHUTDOWN_TIMEOUT", "1s");
    let mut gateway = setup.start().await;
    let alice = Account::of("alice", "default");
    let never = Gate::closed();
    let mut lost = Vec::new();
    for _ in 0..8 {
        gateway.provider.answer(Reply::stream().held_by(&never));
        let request =
            gateway.request(reqwest::Method::POST, crate::support::gateway::TRANSCRIPTIONS).bearer_auth(alice.token());
        lost.push(tokio::spawn(Form::new().file(&audio::wav(1000)).on(request).send()));
    }
    gateway.provider.asked(8).await;
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
    let again = gateway.setup().clone().start().await;
    let usage = alice.usage(&again).await;
    assert_eq!(usage["open"]["requests"], 0, "{usage}");
    assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 8 * GPT_TRANSCRIBE);
}

#[tokio::test]
async fn a_stream_in_any_framing_is_charged_by_its_last_event() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        for (at, line_end) in ["\n", "\r\n", "\r"].into_iter().enumerate() {
            let framing = Framing { line_end, named: at == 1, done: at == 2 };
            gateway.provider.answer(Reply::stream().send(framing.all(&events())));
            let alice = Account::of(&format!("alice-{at}"), "default");
            let form = Form::new().fields(&[("model", "gpt-4o-transcribe"), ("stream", "true")]);
            assert_eq!(alice.send(&gateway, form.file(&audio::wav(3000))).await.status, 200);
            assert_eq!(nano_usd(&alice.settled(&gateway).await["total"]["spent_usd"]), 485_000);
        }
    }
}

#[tokio::test]
async fn a_provider_that_refuses_or_fails_costs_nothing() {
    for (gateway, _redis) in with_each_store(|| Setup::new().single_attempt()).await {
        let alice = Account::of("alice", "default");
        let failures = [
            Reply::whole(500, "text/html", "<html>"),
            Reply::cut_short("application/json", "{\"text\": \"half"),
            Reply::json(200, &json!({ "error": "not a transcript" })),
            Reply::whole(200, "text/html", "<html>log in"),
        ];
        let count = failures.len();
        for reply in failures {
            gateway.provider.answer(reply);
            assert!(alice.transcribe(&gateway, 3000).await.status >= 400);
        }
        // A stream that breaks before any of the transcript: without an event, and after one that is none of it.
        for begun in [": hello\n\n", "event: hello\n\n"] {
            gateway.provider.answer(Reply::stream().send(begun).close());
            let form = Form::new().field("stream", "true").file(&audio::wav(3000));
            let answer = alice.send(&gateway, form).await;
            assert!(answer.status == 502 || answer.text().contains("provider_stream_broken"), "{}", answer.text());
        }
        gateway.provider.answer(Reply::json(
            429,
            &json!({ "error": { "message": "no", "type": "t", "param": null, "code": null } }),
        ));
        assert_eq!(alice.transcribe(&gateway, 3000).await.status, 429);
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"], json!({ "requests": count + 3, "audio_ms": 0, "spent_usd": "0.00" }));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_after_some_of_the_transcript_is_charged_as_measured() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let alice = Account::of("alice", "default");
        gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).close());
        let form = Form::new().field("stream", "true").file(&audio::wav(3000));
        assert!(alice.send(&gateway, form).await.text().contains("provider_stream_broken"));
        let usage = alice.settled(&gateway).await;
        assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 3 * GPT_TRANSCRIBE);
    }
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_the_provider_has() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let never = Gate::closed();
        let bytes = Form::new().file(&audio::wav(3000)).bytes();
        let streamed = Form::new().field("stream", "true").file(&audio::wav(3000)).bytes();
        let token = |subject: &str| token::with(&json!({ "sub": subject }));

        // While the provider thinks: it has the recording.
        gateway.provider.answer(Reply::stream().held_by(&never));
        let asked = gateway.provider.requests();
        let mut wire = gateway.wire().await;
        wire.send(request_head(&token("thinking"), &Form::content_type(), bytes.len(), "")).await;
        wire.send(&bytes).await;
        gateway.provider.asked(asked + 1).await;
        drop(wire);
        gateway.provider.hung_up(1).await;

        // In the middle of a stream.
        gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
        let mut wire = gateway.wire().await;
        wire.send(request_head(&token("streaming"), &Form::content_type(), streamed.len(), "")).await;
        wire.send(&streamed).await;
        wire.until("transcript.text.delta").await;
        drop(wire);
        gateway.provider.hung_up(2).await;

        // Before its recording was all here.
        let mut wire = gateway.wire().await;
        wire.send(request_head(&token("sending"), &Form::content_type(), bytes.len(), "")).await;
        wire.send(&bytes[..40_000]).await;
        drop(wire);

        gateway.log.recorded(3).await;
        for (subject, requests, cost) in
            [("thinking", 1, 3 * GPT_TRANSCRIBE), ("streaming", 1, 3 * GPT_TRANSCRIBE), ("sending", 0, 0)]
        {
            let usage = Account::of(subject, "default").settled(&gateway).await;
            assert_eq!(usage["total"]["requests"], requests, "{usage}");
            assert_eq!(nano_usd(&usage["total"]["spent_usd"]), cost, "{usage}");
        }
    }
}

#[tokio::test]
async fn what_is_in_flight_when_the_gateway_stops_is_settled() {
    let server = Server::start();
    for redis in [None, Some(server.url())] {
        let setup = Setup::new();
        let setup = match &redis {
            Some(url) => setup.env("REDIS_URL", url),
            None => setup,
        };
        let mut gateway = setup.start().await;
        let gate = Gate::closed();
        let all = Framing::PLAIN.all(&events());
        gateway.provider.answer(Reply::stream().wait(&gate).send(all));
        let alice = Account::of("alice", "default");
        let form = Form::new().fields(&[("model", "gpt-4o-transcribe"), ("stream", "true")]).file(&audio::wav(3000));
        let in_flight = alice.send(&gateway, form);
        let meanwhile = async {
            gateway.provider.asked(1).await;
            gateway.terminate();
            gateway.log.find("stopping", |line| line.contains("stopping").then_some(())).await;
            gate.open();
        };
        let (answer, ()) = tokio::join!(in_flight, meanwhile);
        assert!(answer.text().ends_with("data: [DONE]\n\n"));
        assert_eq!(gateway.ended().await.code(), Some(0));
        let again = gateway.setup().clone().start().await;
        let usage = alice.usage(&again).await;
        assert_eq!((&usage["open"]["requests"], nano_usd(&usage["total"]["spent_usd"])), (&json!(0), 485_000));
    }
}

#[tokio::test]
async fn a_killed_gateway_forgets_no_money() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let alice = Account::of("alice", "default");
        assert_eq!(alice.transcribe(&gateway, 3000).await.status, 200);
        alice.settled(&gateway).await;
        let never = Gate::closed();
        gateway.provider.answer(Reply::stream().held_by(&never));
        let asked = gateway.provider.requests();
        let request =
            gateway.request(reqwest::Method::POST, crate::support::gateway::TRANSCRIPTIONS).bearer_auth(alice.token());
        let lost = tokio::spawn(Form::new().file(&audio::wav(5000)).on(request).send());
        gateway.provider.asked(asked + 1).await;
        let again = gateway.killed_and_started_again().await;
        assert!(lost.await.unwrap().is_err());
        let usage = alice.usage(&again).await;
        assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 8 * GPT_TRANSCRIBE, "{usage}");
        assert_eq!(usage["open"], json!({ "requests": 1, "audio_ms": 5000, "spent_usd": "0.000375" }));
        // And goes on counting.
        assert_eq!(alice.transcribe(&again, 1000).await.status, 200);
        let usage = alice.usage_when(&again, |usage| usage["by_day"][0]["requests"] == 2).await;
        assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 9 * GPT_TRANSCRIBE, "{usage}");
    }
}

#[tokio::test]
async fn usage_is_the_callers_own_and_says_what_there_is() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let alice = Account::of("alice", "default");
        let empty = alice.usage(&gateway).await;
        assert_eq!(empty["total"], json!({ "requests": 0, "audio_ms": 0, "spent_usd": "0.00" }));
        assert_eq!((&empty["by_day"], &empty["by_model"]), (&json!([]), &json!([])));
        alice.transcribe(&gateway, 3000).await;
        assert_eq!(alice.settled(&gateway).await["total"]["requests"], 1);
        assert_eq!(Account::of("bob", "default").usage(&gateway).await["total"]["requests"], 0);
        let get = |path: &str, token: &str| gateway.request(reqwest::Method::GET, path).bearer_auth(token);
        let past = gateway.send(get("/v1/usage?month=2025-01", alice.token())).await.json();
        assert_eq!((&past["month"], &past["total"]["requests"]), (&json!("2025-01"), &json!(0)));
        assert_eq!(past["resets_at"], "2025-02-01T00:00:00.000Z");
        let wrong = gateway.send(get("/v1/usage?month=november", alice.token())).await;
        wrong.is_error(400, "invalid_value", Some("month"));
        let unscoped = token::with(&json!({ "scope": "transcribe" }));
        gateway.send(get("/v1/usage", &unscoped)).await.is_error(403, "insufficient_scope", None);
    }
}
