//! Streams come as the provider makes them: when it does, and byte for byte.

use serde_json::json;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply, TRANSCRIPT, events};

fn streamed() -> Form {
    Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300))
}

const DONE: &str = "data: [DONE]\n\n";

#[tokio::test]
async fn the_first_event_arrives_before_the_second_is_sent() {
    let gateway = Gateway::start().await;
    let events = events();
    let gates: Vec<_> = events.iter().map(|_| Gate::closed()).collect();
    let reply = events
        .iter()
        .zip(&gates)
        .fold(Reply::stream(), |reply, (event, gate)| reply.send(Framing::PLAIN.event(event)).wait(gate));
    gateway.provider.answer(reply);
    let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
    for (event, gate) in events.iter().zip(&gates) {
        assert_eq!(stream.until("\n\n").await, Framing::PLAIN.event(event));
        gate.open();
    }
    assert_eq!(stream.rest().await, DONE);
}

#[tokio::test]
async fn a_stream_is_verbatim_however_the_provider_frames_it() {
    let gateway = Gateway::start().await;
    for line_end in ["\n", "\r\n", "\r"] {
        for (named, done) in [(false, false), (false, true), (true, false), (true, true)] {
            let framing = Framing { line_end, named, done };
            let bytes = framing.all(&events());
            for split in [false, true] {
                let reply = Reply::stream();
                let reply = if split { reply.send_byte_by_byte(&bytes) } else { reply.send(bytes.clone()) };
                gateway.provider.answer(reply);
                let got = gateway.transcribe(streamed()).await;
                let expected = if done { bytes.clone() } else { bytes.clone() + DONE };
                assert_eq!(got.text(), expected, "{framing:?}, split: {split}");
                let record = gateway.log.request(got.request_id()).await;
                assert_eq!(record["usage_input_tokens"], 14, "{framing:?}, split: {split}");
            }
        }
    }
}

#[tokio::test]
async fn comments_and_unknown_events_of_the_provider_are_kept() {
    let gateway = Gateway::start().await;
    let bytes = format!(
        ": welcome\n\nretry: 3000\n\nid: 7\ndata: {}\n\ndata: not JSON\n\n{}",
        json!({ "type": "transcript.text.mood", "mood": "cheerful" }),
        Framing::PLAIN.all(&events()),
    );
    gateway.provider.answer(Reply::stream().send(bytes.clone()));
    assert_eq!(gateway.transcribe(streamed()).await.text(), bytes + DONE);
}

#[tokio::test]
async fn a_last_event_without_its_blank_line_still_reaches_the_client() {
    let gateway = Gateway::start().await;
    let bytes = Framing::PLAIN.all(&events());
    gateway.provider.answer(Reply::stream().send(bytes.trim_end()));
    let got = gateway.transcribe(streamed()).await;
    let done: serde_json::Value = serde_json::from_str(&got.events()[events().len() - 1]).unwrap();
    assert_eq!(done["text"], TRANSCRIPT);
    assert!(got.text().ends_with(DONE));
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_by_comments() {
    let gateway = Gateway::with(&[("VOXGATE_RELAY__KEEP_ALIVE", "50ms")]).await;
    let (first, second) = (Gate::closed(), Gate::closed());
    let all = events();
    let reply = Reply::stream()
        .send(Framing::PLAIN.event(&all[0]))
        .wait(&first)
        .send(Framing::PLAIN.event(&all[all.len() - 1]))
        .wait(&second);
    gateway.provider.answer(reply);
    let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
    // On a busy machine there may be a comment before it too.
    while stream.until("\n\n").await != Framing::PLAIN.event(&all[0]) {}
    for _ in 0..3 {
        let comment = stream.until("\n\n").await;
        assert!(comment.starts_with(':'), "{comment:?}");
    }
    first.open();
    stream.until("transcript.text.done").await;
    second.open();
    assert!(stream.rest().await.ends_with(DONE));
}

#[tokio::test]
async fn a_client_is_kept_waiting_with_comments_while_the_provider_thinks() {
    let gateway = Gateway::with(&[("VOXGATE_RELAY__KEEP_ALIVE", "50ms")]).await;
    for model in ["gpt-transcribe", "whisper-1"] {
        let gate = Gate::closed();
        let reply = match model {
            "whisper-1" => Reply::json(200, &json!({ "text": TRANSCRIPT })),
            _ => Reply::stream().send(Framing::PLAIN.all(&events())),
        };
        gateway.provider.answer(reply.held_by(&gate));
        let form = Form::new().fields(&[("model", model), ("stream", "true")]).file(&audio::wav(300));
        let mut stream = gateway.open(form.on(gateway.post(TRANSCRIPTIONS))).await;
        for _ in 0..2 {
            let comment = stream.until("\n\n").await;
            assert!(comment.starts_with(':'), "{comment:?}");
        }
        gate.open();
        let rest = stream.rest().await;
        assert!(rest.contains("transcript.text.done") && rest.ends_with(DONE), "{rest}");
    }
}

#[tokio::test]
async fn an_error_before_the_first_event_is_a_plain_error() {
    let gateway = Gateway::start().await;
    let error = json!({ "error": { "message": "No.", "type": "invalid_request_error", "param": null, "code": "no" } });
    gateway.provider.answer(Reply::json(400, &error));
    let got = gateway.transcribe(streamed()).await;
    got.is_error(400, "no", None);
}

#[tokio::test]
async fn a_stream_is_made_for_no_cache_and_no_buffer() {
    let gateway = Gateway::start().await;
    let got = gateway.transcribe(streamed()).await;
    assert_eq!(got.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(got.header("x-accel-buffering"), Some("no"));
}

#[tokio::test]
async fn a_diarized_answer_becomes_a_segment_event_for_each_speaker() {
    let toml = "[models.\"gpt-4o-transcribe-diarize\"]\nstreams = false\n";
    let gateway = crate::support::gateway::Setup::new().config(toml).start().await;
    let form = Form::new()
        .fields(&[("model", "gpt-4o-transcribe-diarize"), ("response_format", "diarized_json"), ("stream", "true")])
        .file(&audio::wav(300));
    let got = gateway.transcribe(form).await;
    let kinds: Vec<_> = got
        .events()
        .iter()
        .map(|data| {
            serde_json::from_str::<serde_json::Value>(data)
                .map_or_else(|_| data.clone(), |e| e["type"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(kinds, ["transcript.text.segment", "transcript.text.done", "[DONE]"]);
}

#[tokio::test]
async fn a_stream_under_another_type_is_a_stream_and_is_metered() {
    let gateway = Gateway::start().await;
    let bytes = Framing::PLAIN.all(&events()) + "data: [DONE]\n\n";
    gateway.provider.answer(Reply::whole(200, "text/plain", bytes.clone()));
    let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
    assert_eq!(gateway.transcribe(form).await.text(), bytes);
    gateway.log.recorded(1).await;
    assert!(gateway.log.requests()[0].get("usage_output_tokens").is_some());
}
