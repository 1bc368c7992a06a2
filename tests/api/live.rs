//! A live session takes audio piece by piece, and its words come as events.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::{Event, Live, QUARTER, ask, joined, numbered, of_type, parse, pcm16, whole_text};
use crate::support::poll::{let_pass, until};
use crate::support::provider::{Gate, Reply};
use crate::support::talk::{Talk, piece_ms};
use crate::support::token;

/// Some sentences with pauses that end a turn.
fn sentences(count: usize) -> Talk {
    (0..count).fold(Talk::default().pause(300), |talk, _| talk.says(1).pause(500))
}

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.provider.answer_by(numbered());
    gateway
}

/// The gateway with settings for `[live]`.
async fn with(live: &str) -> Gateway {
    let gateway = Setup::new().config(&format!("[live]\n{live}\n")).start().await;
    gateway.provider.answer_by(numbered());
    gateway
}

#[tokio::test]
async fn words_come_while_the_session_is_open() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let mut events = live.events().await;
    live.say_all(sentences(1).pcm()).await;
    let first = events.until("transcript.text.segment").await;
    assert!(first.contains(r#""delta":"Turn 1.""#), "{first}");
    live.say_all(sentences(1).pcm()).await;
    let second = events.until("transcript.text.segment").await;
    assert!(second.contains(r#""delta":" Turn 2.""#), "{second}");
    assert_eq!(live.show().await.json()["status"], "open");
    live.end().await;
    assert!(events.rest().await.ends_with("data: [DONE]\n\n"));
    assert_eq!(whole_text(&live.all_events().await), "Turn 1. Turn 2.");
}

#[tokio::test]
async fn a_session_says_what_it_takes_and_where_it_stands() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let answer = ask(&gateway, &alice, &json!({ "audio_format": "pcm16", "sample_rate": 48_000, "channels": 2 })).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let session = answer.json();
    assert_eq!((&session["sample_rate"], &session["channels"]), (&json!(48_000), &json!(2)));
    assert_eq!(session["expires_at"].as_u64().unwrap() - session["created_at"].as_u64().unwrap(), 3600);
    let auto = ask(&gateway, &alice, &json!({})).await.json();
    assert_eq!(auto["containers"], json!(["webm", "ogg", "mp4", "wav"]));
    let live = Live::open(&gateway).await;
    let position = live.say(&sentences(1).pcm()[..QUARTER]).await;
    assert_eq!(position, json!({ "next_seq": 1, "audio_ms": 250 }));
    let shown = live.show().await.json();
    assert_eq!((&shown["next_seq"], &shown["audio_ms"], &shown["status"]), (&json!(1), &json!(250), &json!("open")));
}

#[tokio::test]
async fn a_piece_that_is_repeated_changes_nothing() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let talk = sentences(2);
    for (seq, piece) in (0..).zip(talk.pcm().chunks(QUARTER)) {
        let first = live.send(seq, piece).await;
        let again = live.send(seq, piece).await;
        let much_later = live.send(0, b"anything").await;
        assert_eq!((first.status, again.status, much_later.status), (202, 202, 202));
        assert_eq!(again.json(), first.json());
        assert_eq!(much_later.json(), first.json());
    }
    let events = live.finish().await;
    assert_eq!(whole_text(&events), "Turn 1. Turn 2.");
    let sent: u64 = gateway.provider.all().iter().map(piece_ms).sum();
    assert!(sent < talk.ms(), "{sent}");
}

#[tokio::test]
async fn a_gap_is_refused_with_the_number_to_go_on_with() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    live.say(&[0; QUARTER]).await;
    let gap = live.send(2, &[0; QUARTER]).await;
    gap.is_error(409, "live_wrong_seq", Some("seq"));
    assert_eq!(gap.error()["next_seq"], 1);
    for seq in ["", "?seq=", "?seq=one", "?seq=-1", "?seq=1&seq=1"] {
        let path = format!("/v1/live/{}/audio{seq}", live.id);
        let answer = gateway.send(gateway.post(&path).body("x")).await;
        assert_eq!((answer.status, answer.error()["param"].as_str()), (400, Some("seq")), "{seq}");
    }
    assert_eq!(live.send(1, &[0; QUARTER]).await.status, 202);
}

#[tokio::test]
async fn a_piece_is_between_a_byte_and_a_mebibyte() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    live.send(0, &[]).await.is_error(400, "invalid_audio", Some("audio"));
    live.send(0, &vec![0; 1024 * 1024 + 1]).await.is_error(413, "file_too_large", Some("audio"));
    // Half a sample waits for the other half.
    assert_eq!(live.send(0, &[0]).await.json()["audio_ms"], 0);
    assert_eq!(live.send(1, &[0; 31]).await.json()["audio_ms"], 1);
    let largest = live.send(2, &vec![0; 1024 * 1024]).await;
    assert_eq!((largest.status, &largest.json()["next_seq"]), (202, &json!(3)));
}

#[tokio::test]
async fn bytes_that_are_no_audio_are_refused_and_the_session_goes_on() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let live = Live::open_for(&gateway, &alice, &json!({ "audio_format": "auto" })).await;
    let text = b"This is no audio at all, but it is long enough to see that it is none. ".repeat(100);
    live.send(0, &text).await.is_error(400, "invalid_audio", Some("audio"));
    let wav = sentences(1).wav();
    live.say_all(&wav).await;
    assert_eq!(whole_text(&live.finish().await), "Turn 1.");
}

#[tokio::test]
async fn the_words_of_turns_come_in_order_whatever_the_provider_answers_first() {
    let gateway = Gateway::start().await;
    let first_is_slow = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({ "text": "One." })).held_by(&first_is_slow));
    gateway.provider.answer(Reply::json(200, &json!({ "text": "Two." })));
    let live = Live::open(&gateway).await;
    live.say_all(sentences(2).pcm()).await;
    gateway.provider.asked(2).await;
    assert_eq!(live.end().await.status, 202);
    first_is_slow.open();
    let events = live.all_events().await;
    assert_eq!(whole_text(&events), "One. Two.");
    let times: Vec<_> = of_type(&events, "transcript.text.segment");
    assert!(times[0]["end"].as_f64() <= times[1]["start"].as_f64(), "{times:?}");
    assert_eq!((&times[0]["id"], &times[1]["id"]), (&json!("seg_0"), &json!("seg_1")));
}

#[tokio::test]
async fn segments_have_the_times_of_the_session() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let talk = Talk::default().pause(4_000).says(1).pause(3_000).says(1).pause(1_000);
    live.say_all(talk.pcm()).await;
    let events = live.finish().await;
    let segments = of_type(&events, "transcript.text.segment");
    let start = |number: usize| segments[number]["start"].as_f64().unwrap();
    assert!((3.9..4.8).contains(&start(0)), "{segments:?}");
    assert!((10.2..11.1).contains(&start(1)), "{segments:?}");
    let done = of_type(&events, "transcript.text.done")[0];
    assert_eq!(done["duration"], f64::from(u32::try_from(talk.ms()).unwrap()) / 1000.0);
    // The pauses, but for half a second around each turn, are not sent.
    let sent: u64 = gateway.provider.all().iter().map(piece_ms).sum();
    assert!((5_000..9_000).contains(&sent), "{sent}");
}

#[tokio::test]
async fn a_turn_that_fails_is_an_event_with_its_times_and_the_session_goes_on() {
    let gateway = Setup::new().short_backoff().start().await;
    let refusal = json!({ "error": { "message": "no", "type": "invalid_request_error", "code": "bad" } });
    gateway.provider.answer(Reply::json(400, &refusal));
    gateway.provider.answer(Reply::json(200, &json!({ "text": "Two." })));
    let live = Live::open(&gateway).await;
    live.say_all(sentences(1).pcm()).await;
    gateway.provider.asked(1).await;
    live.say_all(sentences(1).pcm()).await;
    let events = live.finish().await;
    assert_eq!(whole_text(&events), "Two.");
    let error = &of_type(&events, "error")[0]["error"];
    assert!(error["start"].as_f64() < error["end"].as_f64(), "{error}");
    assert!(error["message"].is_string() && error["code"].is_string(), "{error}");
}

#[tokio::test]
async fn a_reader_goes_on_behind_any_event() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    live.say_all(sentences(3).pcm()).await;
    let all = live.finish().await;
    assert_eq!(all.len(), 8, "{all:?}");
    for (place, event) in all.iter().enumerate() {
        let rest = &all[place + 1..];
        assert_eq!(parse_whole(&live.read(&format!("?after={}", event.id)).await), rest);
        let path = format!("/v1/live/{}/events", live.id);
        let by_header = gateway.send(gateway.get(&path).header("last-event-id", &event.id)).await;
        assert_eq!(parse_whole(&by_header), rest);
    }
    assert_eq!(parse_whole(&live.read("?after=0").await), all);
    for unknown in ["1", "7000000", "x", "-1"] {
        live.read(&format!("?after={unknown}")).await.is_error(400, "invalid_value", Some("after"));
    }
}

fn parse_whole(answer: &crate::support::gateway::Answer) -> Vec<Event> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    parse(answer.text())
}

#[tokio::test]
async fn eight_readers_get_the_same_and_a_ninth_is_refused() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(live.events().await);
    }
    let ninth = live.read("").await;
    ninth.is_error(429, "live_too_many_readers", None);
    assert!(ninth.retry_after_ms() > 0);
    drop(readers.pop());
    until("a place is free", async || {
        let answer = gateway.get(&format!("/v1/live/{}/events", live.id)).send().await.unwrap();
        if answer.status() == 200 { Ok(()) } else { Err(answer.status()) }
    })
    .await;
    live.say_all(sentences(1).pcm()).await;
    live.end().await;
    for reader in readers {
        assert_eq!(whole_text(&parse(&reader.rest().await)), "Turn 1.");
    }
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
async fn nobody_but_the_caller_sees_a_session_whatever_its_token() {
    let gateway = gateway().await;
    let live = Live::open(&gateway).await;
    let other = live.with(&Account::of("mallory", "default"));
    for answer in
        [other.show().await, other.send(0, b"xx").await, other.read("").await, other.end().await, other.delete().await]
    {
        answer.is_error(404, "live_session_not_found", None);
    }
    let renewed = live.with(&Account::with(&token::with(&json!({ "jti": "another" }))));
    assert_eq!(renewed.send(0, &[0; QUARTER]).await.status, 202);
    let no_scope = live.with(&Account::with(&token::with(&json!({ "scope": "translate usage" }))));
    no_scope.show().await.is_error(403, "insufficient_scope", None);
    let none = gateway.send(gateway.request(Method::GET, &format!("/v1/live/{}", live.id))).await;
    none.is_error(401, "invalid_token", None);
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
async fn a_turn_goes_to_the_model_as_the_session_asked() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let wish = json!({ "model": "gpt-transcribe", "language": "en", "prompt": "names", "keywords": ["Voxgate"],
                       "audio_format": "pcm16", "sample_rate": 16_000 });
    let live = Live::open_for(&gateway, &alice, &wish).await;
    live.say_all(sentences(1).pcm()).await;
    assert_eq!(whole_text(&live.finish().await), "Turn 1.");
    let seen = gateway.provider.last();
    let fields = ["model", "language", "prompt", "response_format", "stream"].map(|name| seen.field(name));
    assert_eq!(fields, [Some("gpt-transcribe"), Some("en"), Some("names"), Some("json"), None]);
    assert_eq!(seen.file().content_type.as_deref(), Some("audio/flac"));
}

#[tokio::test]
async fn the_times_of_a_model_that_gives_them_are_moved_to_the_session() {
    let gateway = Gateway::start().await;
    let segment =
        |id: u64, start: f64, end: f64, text: &str| json!({ "id": id, "start": start, "end": end, "text": text });
    let segments = [segment(0, 0.3, 1.2, " Judge my vow."), segment(1, 1.4, 2.6, " Again.")];
    let answer = json!({ "task": "transcribe", "language": "english", "duration": 3.0, "text": " Judge my vow. Again.", "segments": segments });
    gateway.provider.answer_always(Reply::json(200, &answer));
    let wish = json!({ "model": "whisper-1", "audio_format": "pcm16", "sample_rate": 16_000 });
    let live = Live::open_for(&gateway, &Account::of("alice", "default"), &wish).await;
    live.say_all(Talk::default().pause(2_000).says(1).pause(1_000).pcm()).await;
    let events = live.finish().await;
    assert_eq!(whole_text(&events), " Judge my vow. Again.");
    let segments = of_type(&events, "transcript.text.segment");
    assert_eq!((&segments[0]["text"], &segments[1]["text"]), (&json!("Judge my vow."), &json!("Again.")));
    assert!(segments[0]["start"].as_f64().unwrap() > 1.5, "{segments:?}");
    assert_eq!(gateway.provider.last().field("response_format"), Some("verbose_json"));
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
