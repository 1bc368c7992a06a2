//! A live session in one request: the body is the audio, the answer is the events.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::audio;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::{QUARTER, joined, numbered, parse, whole_text};
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply};
use crate::support::talk::Talk;
use crate::support::token;
use crate::support::tools::{TOOLS, require_tool};
use crate::support::wire::Wire;

/// A request whose body goes on.
struct Stream {
    wire: Wire,
}

impl Stream {
    async fn open(gateway: &Gateway, query: &str) -> Self {
        let mut wire = gateway.wire().await;
        let token = token::good();
        wire.send(format!(
            "POST /v1/live/stream?{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
        Self { wire }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.wire.try_send(&chunk).await;
    }

    async fn send_all(&mut self, sound: &[u8]) {
        for piece in sound.chunks(QUARTER) {
            self.send(piece).await;
        }
    }

    async fn end(&mut self) {
        self.wire.try_send(b"0\r\n\r\n").await;
    }
}

const PCM: &str = "audio_format=pcm16&sample_rate=16000";

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.provider.answer_by(numbered());
    gateway
}

fn sentence() -> Talk {
    Talk::default().says(1).pause(700)
}

#[tokio::test]
async fn the_answer_begins_at_once_and_words_come_while_the_body_goes_on() {
    let gateway = gateway().await;
    let mut stream = Stream::open(&gateway, PCM).await;
    let head = stream.wire.head().await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("x-voxgate-live: live_"), "{head}");
    stream.send_all(sentence().pcm()).await;
    stream.wire.until("Turn 1.").await;
    stream.send_all(sentence().pcm()).await;
    stream.wire.until("Turn 2.").await;
    stream.end().await;
    let end = stream.wire.until("[DONE]").await;
    assert!(end.contains(r#""text":"Turn 1. Turn 2.""#), "{end}");
}

#[tokio::test]
async fn a_recording_in_a_container_can_be_piped() {
    let gateway = gateway().await;
    for name in ["live.webm", "live.wav", "opus.ogg", "fragmented.mp4"] {
        let request = gateway.post("/v1/live/stream").body(audio::recorded(name));
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(whole_text(&parse(answer.text())).contains("Turn"), "{name}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_the_session_and_its_words_can_be_read() {
    let gateway = gateway().await;
    let mut stream = Stream::open(&gateway, PCM).await;
    let head = stream.wire.head().await;
    let id = head.lines().find_map(|line| line.strip_prefix("x-voxgate-live: ")).unwrap().to_owned();
    stream.send_all(sentence().pcm()).await;
    drop(stream);
    let events = gateway.open(gateway.get(&format!("/v1/live/{id}/events"))).await.rest().await;
    assert_eq!(whole_text(&parse(&events)), "Turn 1.");
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_the_body() {
    let gateway = Setup::new().config("[models.still]\nlive = \"none\"\n").start().await;
    for (query, param) in [("audio_format=pcm16", "sample_rate"), ("model=still", "model"), ("x=1", "x")] {
        let mut stream = Stream::open(&gateway, query).await;
        let head = stream.wire.head().await;
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
        assert!(stream.wire.until("}}").await.contains(&format!("\"param\":\"{param}\"")), "{query}");
    }
}

#[tokio::test]
async fn audio_without_end_far_ahead_of_its_words_ends_the_session() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    for _ in 0..4 {
        gateway.provider.answer(Reply::json(200, &json!({ "text": "x" })).held_by(&gate));
    }
    let mut stream = Stream::open(&gateway, PCM).await;
    let head = stream.wire.head().await;
    let id = head.lines().find_map(|line| line.strip_prefix("x-voxgate-live: ")).unwrap().to_owned();
    // The whole body is read, however far ahead it is.
    stream.send_all(&sentence().pcm().repeat(180)).await;
    until("the session takes no more", async || {
        stream.send(&[0; 2]).await;
        let session = gateway.send(gateway.get(&format!("/v1/live/{id}"))).await.json();
        if session["status"] == "ending" { Ok(()) } else { Err(session) }
    })
    .await;
    // What it took is transcribed.
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "y" })));
    (0..4).for_each(|_| gate.open());
    let events = stream.wire.until("live_too_far_ahead").await;
    assert!(!events.contains("[DONE]"));
    assert!(events.matches("\"delta\":\" y\"").count() > 100, "{events}");
}

#[tokio::test]
async fn a_body_that_is_no_live_audio_ends_with_an_error() {
    let gateway = gateway().await;
    for name in ["cbr.mp3", "speech.flac", "aac.m4a"] {
        let request = gateway.post("/v1/live/stream").body(audio::recorded(name));
        let events = parse(gateway.send(request).await.text());
        assert_eq!(events.last().unwrap().data["error"]["code"], "invalid_audio", "{name}: {events:?}");
    }
}

#[tokio::test]
async fn audio_for_which_there_is_no_room_ends_with_an_error_behind_what_was_heard() {
    let toml = "[intake]\nmax_audio_bytes = 100000\nspool_memory_bytes = 0\nmax_spool_memory_bytes = 0\nmax_spool_disk_bytes = 400000\n";
    let gateway = Setup::new().config(toml).start().await;
    gateway.provider.answer_by(numbered());
    let request = gateway.post(&format!("/v1/live/stream?{PCM}")).body(sentence().pcm().repeat(12));
    let events = parse(gateway.send(request).await.text());
    assert_eq!(events.last().unwrap().data["error"]["code"], "overloaded", "{events:?}");
}

#[tokio::test]
async fn a_session_in_one_request_ends_without_audio() {
    let gateway = Setup::new().config("[live]\nidle_timeout = \"3s\"\n").start().await;
    gateway.provider.answer_by(numbered());
    let mut stream = Stream::open(&gateway, PCM).await;
    stream.wire.head().await;
    stream.send_all(sentence().pcm()).await;
    let rest = stream.wire.until("[DONE]").await;
    assert!(rest.contains("Turn 1."), "{rest}");
}

#[tokio::test]
async fn curl_pipes_sound_in_and_reads_words() {
    let Some(curl) = require_tool("curl", TOOLS) else { return };
    let gateway = Gateway::start().await;
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "Turn." })));
    let url = gateway.url(&format!("/v1/live/stream?model=gpt-transcribe&{PCM}"));
    let mut curl = Command::new(curl)
        .args(["-sN", "-X", "POST", "-T", ".", &url, "-H", &format!("Authorization: Bearer {}", token::good())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = curl.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        for piece in sentence().pcm().repeat(2).chunks(QUARTER) {
            input.write_all(piece).unwrap();
        }
    });
    let output = tokio::task::spawn_blocking(move || curl.wait_with_output().unwrap()).await.unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let events = parse(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(whole_text(&events), joined(&events));
    assert_eq!(joined(&events), "Turn. Turn.");
}
