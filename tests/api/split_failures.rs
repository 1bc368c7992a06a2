//! What a client gets if a piece of its recording fails: the rest, and which part is missing.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply};
use crate::support::talk::{Talk, piece_ms};

const SHORT_MODELS: &str = "[models.gpt-4o-transcribe]\nmax_seconds = 20\n[models.whisper-1]\nmax_seconds = 20\n";

/// Three stretches of one, three and two sentences, with long silence between them: one piece each.
fn talk() -> Talk {
    Talk::default().says(1).pause(5_000).says(3).pause(5_000).says(2)
}

fn form(model: &str) -> Form {
    Form::new().fields(&[("model", model)]).file(&talk().wav())
}

/// Which of the three stretches a piece is.
fn name(ms: u64) -> &'static str {
    match ms {
        0..5_000 => "one",
        5_000..9_000 => "two",
        _ => "three",
    }
}

fn hears(ms: u64) -> Reply {
    Reply::json(200, &json!({ "text": name(ms) }))
}

fn refused() -> Reply {
    Reply::json(
        400,
        &json!({ "error": { "message": "no", "type": "invalid_request_error", "param": null, "code": "no" } }),
    )
}

async fn gateway() -> Gateway {
    Setup::new().config(SHORT_MODELS).short_backoff().start().await
}

#[tokio::test]
async fn a_piece_that_fails_is_tried_again_by_itself() {
    let gateway = gateway().await;
    let count = AtomicUsize::new(0);
    gateway.provider.answer_by(move |seen| {
        if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) { Reply::error(500) } else { hears(piece_ms(seen)) }
    });
    let answer = gateway.transcribe(form("gpt-4o-transcribe")).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("one three two")), "{}", answer.text());
    assert!((4..=5).contains(&gateway.provider.requests()), "{}", gateway.provider.requests());
}

#[tokio::test]
async fn a_rate_limit_slows_all_pieces_down_and_fails_none() {
    let gateway = gateway().await;
    let count = AtomicUsize::new(0);
    gateway.provider.answer_by(move |seen| {
        if count.fetch_add(1, Ordering::Relaxed) < 3 {
            Reply::error(429).header("retry-after-ms", "300")
        } else {
            hears(piece_ms(seen))
        }
    });
    let answer = gateway.transcribe(form("gpt-4o-transcribe")).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("one three two")), "{}", answer.text());
}

#[tokio::test]
async fn a_piece_that_fails_for_good_leaves_a_marked_hole() {
    let gateway = gateway().await;
    let all_are_there = Gate::closed();
    let held = all_are_there.clone();
    gateway.provider.answer_by(move |seen| match name(piece_ms(seen)) {
        "three" => refused().held_by(&held),
        _ => hears(piece_ms(seen)),
    });
    let (answer, ()) = tokio::join!(gateway.transcribe(form("gpt-4o-transcribe")), async {
        gateway.provider.asked(3).await;
        all_are_there.open();
    });
    answer.is_error(502, "transcript_incomplete", None);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    let partial = &answer.json()["error"]["partial"];
    assert_eq!(partial["text"], "one two");
    let missing = partial["missing"].as_array().unwrap();
    let [start, end] = ["start", "end"].map(|member| missing[0][member].as_f64().unwrap());
    // The rest counts as missing too unless the recording was cut to its end before the failure.
    let rest = missing.get(1).map_or(30.0, |rest| rest["start"].as_f64().unwrap());
    assert!(missing.len() <= 2 && rest > 29.0, "{missing:?}");
    assert!((7.3..8.4).contains(&start) && (17.5..19.0).contains(&end), "{missing:?}");
    let record = gateway.log.request(answer.request_id()).await;
    assert_eq!((&record["error"], &record["provider_status"]), (&json!("transcript_incomplete"), &json!(400)));
}

#[tokio::test]
async fn a_recording_of_which_nothing_was_heard_has_the_providers_error() {
    let gateway = gateway().await;
    gateway.provider.answer_always(refused());
    let answer = gateway.transcribe(form("gpt-4o-transcribe")).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("no")), "{}", answer.text());
    let stream = gateway.transcribe(form("gpt-4o-transcribe").field("stream", "true")).await;
    assert_eq!(stream.status, 400, "{}", stream.text());
    let retried = gateway.provider.requests();
    assert!((2..=6).contains(&retried), "pieces in flight are finished, and no more are sent: {retried}");
}

#[tokio::test]
async fn a_stream_with_a_hole_ends_with_an_error_after_its_deltas() {
    let gateway = gateway().await;
    let all_are_there = Gate::closed();
    let held = all_are_there.clone();
    gateway.provider.answer_by(move |seen| match name(piece_ms(seen)) {
        "three" => refused().held_by(&held),
        _ if seen.field("stream").is_some() => {
            let events = ["transcript.text.delta", "transcript.text.done"]
                .map(|kind| json!({ "type": kind, "delta": "one", "text": "one" }));
            Reply::stream().send(Framing::PLAIN.all(&events))
        }
        _ => hears(piece_ms(seen)),
    });
    let (stream, ()) = tokio::join!(gateway.transcribe(form("gpt-4o-transcribe").field("stream", "true")), async {
        gateway.provider.asked(3).await;
        all_are_there.open();
    });
    let events: Vec<Value> = stream
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(events[0]["delta"], "one");
    let error = &events.last().unwrap()["error"];
    assert_eq!((&error["code"], &error["partial"]["text"]), (&json!("transcript_incomplete"), &json!("one two")));
    assert!(!stream.text().contains("[DONE]"), "{}", stream.text());
}

#[tokio::test]
async fn the_first_piece_is_sent_again_if_its_stream_breaks_off() {
    let gateway = gateway().await;
    let first = AtomicUsize::new(0);
    gateway.provider.answer_by(move |seen| match (seen.field("stream"), first.fetch_add(1, Ordering::Relaxed)) {
        (Some(_), 0) => {
            let delta = json!({ "type": "transcript.text.delta", "delta": "on" });
            Reply::stream().send(Framing::PLAIN.event(&delta)).close()
        }
        _ => hears(piece_ms(seen)),
    });
    let stream = gateway.transcribe(form("gpt-4o-transcribe").field("stream", "true")).await;
    assert!(stream.text().contains("\"text\":\"one three two\""), "{}", stream.text());
}

#[tokio::test]
async fn an_answer_that_is_no_transcript_fails_its_piece() {
    let gateway = gateway().await;
    gateway.provider.answer_by(|seen| match name(piece_ms(seen)) {
        "two" => Reply::json(200, &json!({ "words": 3 })),
        _ => hears(piece_ms(seen)),
    });
    let answer = gateway.transcribe(form("gpt-4o-transcribe")).await;
    answer.is_error(502, "transcript_incomplete", None);
    assert_eq!(answer.json()["error"]["partial"]["text"], "one three");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_every_piece() {
    let gateway = gateway().await;
    let never = Gate::closed();
    let held = never.clone();
    gateway.provider.answer_by(move |_| Reply::json(200, &json!({ "text": "never" })).held_by(&held));
    let request = form("gpt-4o-transcribe").on(gateway.post(TRANSCRIPTIONS));
    let client = tokio::spawn(request.send());
    gateway.provider.asked(3).await;
    client.abort();
    gateway.provider.hung_up(3).await;
}

#[tokio::test]
async fn a_fallback_serves_a_piece_in_the_same_format() {
    let fallback = "[models.gpt-4o-transcribe]\nmax_seconds = 20\nfallbacks = [\"gpt-4o-mini-transcribe\"]\n";
    let gateway = Setup::new().config(fallback).short_backoff().start().await;
    gateway.provider.answer_by(|seen| match seen.field("model") {
        Some("gpt-4o-transcribe") if name(piece_ms(seen)) == "three" => Reply::error(500),
        _ => hears(piece_ms(seen)),
    });
    let answer = gateway.transcribe(form("gpt-4o-transcribe")).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("one three two")), "{}", answer.text());
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused_by_name() {
    let gateway = Setup::new().config("[models.gpt-4o-transcribe]\nmax_seconds = 2\n").start().await;
    // AC-3 has a length, and no decoder.
    let ac3 = crate::support::audio::recorded("ac3.mka");
    let answer = gateway.transcribe(Form::new().field("model", "gpt-4o-transcribe").file(&ac3)).await;
    answer.is_error(400, "invalid_audio", Some("file"));
    assert!(answer.text().contains("ac3"), "{}", answer.text());
    assert_eq!(gateway.provider.requests(), 0);
}
