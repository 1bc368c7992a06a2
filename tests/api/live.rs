//! A live session takes audio piece by piece, and its words come as events.

use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::{Event, Live, QUARTER, ask, numbered, of_type, parse, sentences, whole_text};
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply};
use crate::support::talk::{Talk, piece_ms};
use crate::support::token;

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
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
