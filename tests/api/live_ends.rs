//! How a live session begins and ends, and what is recorded of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::{Live, QUARTER, ask, joined, numbered, parse, pcm16, sentences, whole_text};
use crate::support::poll::{let_pass, until};
use crate::support::provider::{Gate, Reply};
use crate::support::talk::Talk;

async fn gateway() -> Gateway {
    with("").await
}

/// The gateway with settings for `[live]`.
async fn with(live: &str) -> Gateway {
    let gateway = Setup::new().config(&format!("[live]\n{live}\n")).start().await;
    gateway.provider.answer_by(numbered());
    gateway
}

#[tokio::test]
async fn a_session_ends_by_itself_without_audio_and_at_its_time() {
    for live in ["idle_timeout = \"3s\"", "max_seconds = 10\nidle_timeout = \"1h\""] {
        let gateway = with(live).await;
        let session = Live::open(&gateway).await;
        session.say_all(sentences(1).pcm()).await;
        if live.starts_with("max") {
            // As much audio as a session may have, however fast it comes.
            for seq in 14..60 {
                if session.send(seq, &[0; QUARTER]).await.status == 409 {
                    break;
                }
            }
        }
        let events = session.all_events().await;
        assert_eq!(whole_text(&events), "Turn 1.", "{live}");
        assert_eq!(session.show().await.json()["status"], "ended");
        let seq = session.show().await.json()["next_seq"].as_u64().unwrap();
        session.send(seq, &[0; QUARTER]).await.is_error(409, "live_session_ended", None);
        assert_eq!(session.end().await.status, 202);
    }
}

#[tokio::test]
async fn events_stay_readable_for_a_while_and_then_the_session_is_gone() {
    let gateway = with("keep_events = \"3s\"").await;
    let live = Live::open(&gateway).await;
    live.say_all(sentences(1).pcm()).await;
    let events = live.finish().await;
    assert_eq!(live.all_events().await, events);
    until("the session is forgotten", async || {
        let answer = live.show().await;
        if answer.status == 404 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    live.read("").await.is_error(404, "live_session_not_found", None);
    live.send(0, &[0; 10]).await.is_error(404, "live_session_not_found", None);
}

#[tokio::test]
async fn a_session_that_is_deleted_is_gone_and_its_readers_learn_it() {
    let gateway = Gateway::start().await;
    let never = Gate::closed();
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "x" })).held_by(&never));
    let live = Live::open(&gateway).await;
    let reader = live.events().await;
    live.say_all(sentences(1).pcm()).await;
    gateway.provider.asked(1).await;
    assert_eq!(live.delete().await.status, 204);
    let events = parse(&reader.rest().await);
    assert_eq!(events.last().unwrap().data["error"]["code"], "live_session_deleted", "{events:?}");
    gateway.provider.hung_up(1).await;
    live.show().await.is_error(404, "live_session_not_found", None);
    live.delete().await.is_error(404, "live_session_not_found", None);
}

#[tokio::test]
async fn a_session_that_cannot_be_is_refused_with_the_reason() {
    let toml = "[live]\nmax_sessions = 1\n[models.still]\nlive = \"none\"\n";
    let gateway = Setup::new().config(toml).start().await;
    let alice = Account::of("alice", "default");
    for (wish, code, param) in [
        (json!({ "model": "still" }), "unsupported_value", Some("model")),
        (json!({ "audio_format": "mp3" }), "invalid_value", Some("audio_format")),
        (json!({ "audio_format": "pcm16" }), "missing_required_parameter", Some("sample_rate")),
        (json!({ "tempo": 1 }), "invalid_value", Some("tempo")),
        (json!({ "model": "whisper-1", "keywords": ["x"] }), "unsupported_value", Some("keywords")),
    ] {
        ask(&gateway, &alice, &wish).await.is_error(400, code, param);
    }
    let _open = Live::open(&gateway).await;
    let full = ask(&gateway, &alice, &pcm16()).await;
    full.is_error(503, "overloaded", None);
    assert!(full.retry_after_ms() > 0);
    let off = with("enabled = false").await;
    ask(&off, &alice, &pcm16()).await.is_error(404, "live_disabled", None);
}

#[tokio::test]
async fn a_session_without_speech_ends_with_an_empty_text_and_asks_nobody() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    live.say_all(Talk::default().pause(3_000).pcm()).await;
    let events = live.finish().await;
    assert_eq!(whole_text(&events), "");
    assert_eq!(gateway.provider.requests(), 0);
    let empty = Live::open(&gateway).await;
    assert_eq!(whole_text(&empty.finish().await), "");
}

#[tokio::test]
async fn a_session_whose_time_is_over_while_it_decodes_keeps_the_open_turn() {
    let gateway = with("max_seconds = 10\nidle_timeout = \"1h\"").await;
    let live = Live::open(&gateway).await;
    let opened = Instant::now();
    live.say_all(Talk::default().says(1).pcm()).await;
    // A piece that takes a while to decode, about when the time is over.
    let_pass(Duration::from_millis(9_950).saturating_sub(opened.elapsed())).await;
    let seq = live.show().await.json()["next_seq"].as_u64().unwrap();
    live.send(seq, &vec![0; 1024 * 1024]).await;
    assert_eq!(whole_text(&live.all_events().await), "Turn 1.");
}

#[tokio::test]
async fn long_silence_is_not_behind() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "Here." })).held_by(&gate));
    let live = Live::open(&gateway).await;
    let silence = vec![0; 1024 * 1024];
    for _ in 0..20 {
        live.say(&silence).await;
    }
    live.say_all(sentences(1).pcm()).await;
    gateway.provider.asked(1).await;
    let transcribed = live.show().await.json()["transcribed_ms"].as_u64().unwrap();
    assert!(transcribed > 600_000, "{transcribed}");
    live.say_all(&[0; QUARTER]).await;
    gate.open();
    assert_eq!(whole_text(&live.finish().await), "Here.");
}

#[tokio::test]
async fn a_gateway_that_stops_lets_its_sessions_end() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let mut events = live.events().await;
    live.say_all(Talk::default().pause(300).says(1).pcm()).await;
    events.until(": keep-alive").await;
    gateway.terminate();
    let rest = events.rest().await;
    assert!(rest.contains("Turn 1.") && rest.ends_with("data: [DONE]\n\n"), "{rest}");
}

#[tokio::test]
async fn a_request_that_is_refused_is_in_the_log_and_the_session_ends_at_once() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let refused = live.send(7, b"xx").await;
    let record = gateway.log.request(refused.request_id()).await;
    assert_eq!((&record["status"], &record["error"]), (&json!(409), &json!("live_wrong_seq")));
    let ended = live.end().await;
    assert!(["ending", "ended"].contains(&ended.json()["status"].as_str().unwrap()), "{}", ended.text());
}

#[tokio::test]
async fn a_session_is_one_line_in_the_log() {
    let gateway = gateway().await;
    let answer = ask(&gateway, &Account::of("alice", "default"), &pcm16()).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/live/{id}");
    for (seq, piece) in sentences(2).pcm().chunks(QUARTER).enumerate() {
        gateway.send(gateway.post(&format!("{path}/audio?seq={seq}")).body(piece.to_vec())).await;
    }
    gateway.send(gateway.post(&format!("{path}/end"))).await;
    let events = gateway.send(gateway.get(&format!("{path}/events"))).await;
    assert_eq!(joined(&parse(events.text())), "Turn 1. Turn 2.");
    let record: Value = gateway.log.request(answer.request_id()).await;
    assert_eq!(
        (&record["pieces"], &record["status"], &record["outcome"]),
        (&json!(2), &json!(201), &json!("answered"))
    );
    assert_eq!((&record["audio_ms"], &record["attempts"]), (&json!(sentences(2).ms()), &json!(2)));
    assert_eq!(gateway.log.requests().len(), 1, "{:?}", gateway.log.requests());
    assert!(!gateway.log.text().contains("Turn 1"));
}
