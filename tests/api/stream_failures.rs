//! Streams that end badly: the client is told, or the provider is let go.

use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, KEY, Reply, events};

fn streamed() -> Form {
    Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300))
}

/// The error that `event` is.
fn error_of(event: &str) -> Value {
    let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("no event: {event:?}"));
    serde_json::from_str::<Value>(data).unwrap()["error"].clone()
}

#[tokio::test]
async fn a_provider_that_breaks_off_becomes_an_error_event() {
    let gateway = Gateway::start().await;
    let first = Framing::PLAIN.event(&events()[0]);
    let half_an_event = r#"data: {"type":"transcript.text.delta","del"#;
    for (name, half, reset) in [("end", "", false), ("half an event", half_an_event, false), ("reset", "", true)] {
        let gate = Gate::closed();
        let reply = Reply::stream().send(first.clone()).wait(&gate).send(format!("{half}:"));
        gateway.provider.answer(if reset { reply.reset() } else { reply.close() });
        let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
        assert_eq!(stream.until("\n\n").await, first);
        gate.open();
        let rest = stream.rest().await;
        let (_, last) = rest.trim_end().rsplit_once("\n\n").unwrap_or(("", rest.trim_end()));
        let error = error_of(last);
        assert_eq!(error["code"], "provider_stream_broken", "{name}: {rest:?}");
        assert_eq!(error["type"], "server_error", "{name}");
        assert!(!rest.contains("[DONE]"), "{name}: {rest:?}");
    }
    gateway.log.recorded(3).await;
    assert!(gateway.log.requests().iter().all(|record| record["outcome"] == "stream_broken"));
}

#[tokio::test]
async fn a_stream_that_ends_in_good_order_but_too_early_is_broken_too() {
    let gateway = Gateway::start().await;
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])));
    let got = gateway.transcribe(streamed()).await;
    assert_eq!(error_of(&format!("data: {}", got.events().last().unwrap()))["code"], "provider_stream_broken");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_last_event_breaks_nothing() {
    let gateway = Gateway::start().await;
    let bytes = Framing::PLAIN.all(&events());
    gateway.provider.answer(Reply::stream().send(bytes.clone()).close());
    assert_eq!(gateway.transcribe(streamed()).await.text(), bytes + "data: [DONE]\n\n");
}

#[tokio::test]
async fn an_error_event_of_the_provider_passes_without_the_key_and_ends_the_stream() {
    let gateway = Gateway::start().await;
    let first = Framing::PLAIN.event(&events()[0]);
    let error = json!({ "error": {
        "message": format!("Key {KEY} has no credit."), "type": "server_error", "param": null, "code": "no_credit",
    } });
    gateway.provider.answer(Reply::stream().send(first.clone()).send(Framing::PLAIN.event(&error)));
    let got = gateway.transcribe(streamed()).await;
    let events = got.events();
    let said = error_of(&format!("data: {}", events[1]));
    assert_eq!(said["code"], "no_credit");
    assert!(said["message"].as_str().unwrap().ends_with("has no credit."));
    assert_eq!(events.len(), 2, "{events:?}");
}

#[tokio::test]
async fn an_event_larger_than_is_allowed_ends_the_stream_with_an_error() {
    let gateway = Gateway::with(&[("VOXGATE_RELAY__MAX_EVENT_BYTES", "1000")]).await;
    let large = json!({ "type": "transcript.text.delta", "delta": "x".repeat(2000) });
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&large)));
    let got = gateway.transcribe(streamed()).await;
    assert_eq!(error_of(&format!("data: {}", got.events().last().unwrap()))["type"], "server_error");
}

#[tokio::test]
async fn a_provider_that_falls_silent_is_given_up() {
    let settings = [("VOXGATE_UPSTREAM__IDLE_TIMEOUT", "200ms"), ("VOXGATE_RELAY__KEEP_ALIVE", "50ms")];
    let gateway = Gateway::with(&settings).await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let got = gateway.transcribe(streamed()).await;
    assert_eq!(error_of(&format!("data: {}", got.events().last().unwrap()))["code"], "provider_timeout");
    gateway.provider.hung_up(1).await;
}

#[tokio::test]
async fn when_the_client_hangs_up_in_mid_stream_the_provider_is_let_go() {
    let gateway = Gateway::start().await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    drop(stream);
    gateway.provider.hung_up(1).await;
    gateway.log.recorded(1).await;
    assert_eq!(gateway.log.requests()[0]["outcome"], "client_gone");
}

#[tokio::test]
async fn a_client_that_hangs_up_early_releases_the_provider() {
    let gateway = Gateway::start().await;
    for (asked, stream) in [(1, "false"), (2, "true")] {
        let never = Gate::closed();
        gateway.provider.answer(Reply::json(200, &json!({})).held_by(&never));
        let form = Form::new().field("stream", stream).file(&audio::wav(300));
        let bytes = form.bytes();
        let mut wire = gateway.wire().await;
        wire.send(crate::support::wire::request_head(
            &crate::support::token::good(),
            &Form::content_type(),
            bytes.len(),
            "",
        ))
        .await;
        wire.send(bytes).await;
        gateway.provider.asked(asked).await;
        drop(wire);
        gateway.provider.hung_up(asked).await;
    }
    gateway.log.recorded(2).await;
    assert!(gateway.log.requests().iter().all(|record| record["outcome"] == "client_gone"));
}

#[tokio::test]
async fn an_event_that_is_cut_off_in_its_data_is_not_sent_on() {
    let gateway = Gateway::start().await;
    let first = Framing::PLAIN.event(&events()[0]);
    gateway.provider.answer(Reply::stream().send(first.clone()).send(r#"data: {"type":"transcript.te"#));
    let got = gateway.transcribe(streamed()).await;
    assert!(!got.text().contains("transcript.te\n"), "{}", got.text());
    assert_eq!(error_of(&format!("data: {}", got.events().last().unwrap()))["code"], "provider_stream_broken");
}

#[tokio::test]
async fn an_error_on_many_lines_is_one_event_when_the_stream_has_begun() {
    let gateway = Gateway::with(&[("VOXGATE_RELAY__KEEP_ALIVE", "50ms")]).await;
    let gate = Gate::closed();
    let error = json!({ "error": { "message": "no", "type": "t", "param": null, "code": null } });
    let pretty = serde_json::to_string_pretty(&error).unwrap();
    gateway.provider.answer(Reply::whole(400, "application/json", pretty).held_by(&gate));
    let mut stream = gateway.open(streamed().on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until(": keep-alive\n\n").await;
    gate.open();
    let rest = stream.rest().await;
    let data = rest.lines().filter(|line| !line.is_empty() && !line.starts_with(':'));
    let data: Vec<_> = data.map(|line| line.strip_prefix("data: ").expect("every line is data")).collect();
    assert_eq!(serde_json::from_str::<Value>(&data.join("\n")).unwrap(), error);
}

#[tokio::test]
async fn a_stream_ends_at_done_or_at_an_error() {
    let gateway = Gateway::start().await;
    let never = Gate::closed();
    let late = Framing::PLAIN.event(&json!({ "type": "transcript.text.delta", "delta": "too late" }));
    let whole = Framing::PLAIN.all(&events()) + "data: [DONE]\n\n";
    gateway.provider.answer(Reply::stream().send(whole.clone() + &late).wait(&never));
    assert_eq!(gateway.transcribe(streamed()).await.text(), whole);
    let error =
        Framing::PLAIN.event(&json!({ "error": { "message": "no", "type": "t", "param": null, "code": null } }));
    gateway.provider.answer(Reply::stream().send(error.clone() + &whole).wait(&never));
    assert_eq!(gateway.transcribe(streamed()).await.text(), error);
}

#[tokio::test]
async fn a_key_that_an_escape_hides_in_an_error_event_is_found() {
    let gateway = Gateway::start().await;
    let (first, rest) = KEY.split_at(1);
    let hidden = format!("\\u{:04x}{rest}", u32::from(first.as_bytes()[0]));
    let event =
        format!(r#"data: {{"error":{{"message":"no: {hidden}","type":"t","param":null,"code":null}}}}"#) + "\n\n";
    gateway.provider.answer(Reply::stream().send(event).header("x-request-id", KEY));
    let got = gateway.transcribe(streamed()).await;
    let message = error_of(got.text().trim_end())["message"].as_str().unwrap().to_owned();
    assert!(!message.contains(KEY) && message.contains("[redacted]"), "{message}");
}
