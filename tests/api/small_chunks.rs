//! A provider that sends its answer in the smallest of pieces costs no more than it must.

use serde_json::json;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::Gateway;
use crate::support::provider::{Framing, Gate, Reply, TRANSCRIPT, events};

/// A gateway that says nothing of its own on a stream, however slow the machine is.
async fn quiet() -> Gateway {
    Gateway::with(&[("VOXGATE_RELAY__KEEP_ALIVE", "10m")]).await
}

#[tokio::test]
async fn a_provider_that_sends_bytes_one_by_one_is_relayed_whole() {
    let gateway = quiet().await;
    // More than are taken at once, so that the provider is read at a pace.
    let deltas: Vec<_> =
        (0..100).map(|at| json!({ "type": "transcript.text.delta", "delta": format!("word {at} ") })).collect();
    let all = Framing::PLAIN.all(&deltas) + &Framing::PLAIN.all(&events());
    assert!(all.len() > 4_000);
    gateway.provider.answer(Reply::stream().send_byte_by_byte(&all));
    let answer = gateway.transcribe(Form::new().field("stream", "true").file(&audio::wav(300))).await;
    assert_eq!(answer.text(), all + "data: [DONE]\n\n");

    let body = json!({ "text": TRANSCRIPT.repeat(100) }).to_string();
    gateway.provider.answer(Reply::chunked("application/json").send_byte_by_byte(&body));
    let answer = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
    assert_eq!(answer.text(), body);
}

#[tokio::test]
async fn an_event_goes_out_when_it_is_there_however_small_its_pieces() {
    let gateway = quiet().await;
    let gate = Gate::closed();
    let (first, rest) = (Framing::PLAIN.event(&events()[0]), Framing::PLAIN.all(&events()[1..]));
    let many = ": more\n\n".repeat(100);
    gateway
        .provider
        .answer(Reply::stream().send_byte_by_byte(&(many.clone() + &first)).wait(&gate).send_byte_by_byte(&rest));
    let request = gateway.post(crate::support::gateway::TRANSCRIPTIONS);
    let form = Form::new().field("stream", "true").file(&audio::wav(300));
    let mut stream = gateway.open(form.on(request)).await;
    assert_eq!(stream.until(&first).await, many + &first);
    gate.open();
    assert_eq!(stream.rest().await, rest + "data: [DONE]\n\n");
}

#[tokio::test]
async fn a_time_to_come_back_is_one_that_a_client_can_live_with() {
    let gateway = crate::support::gateway::Setup::new().single_attempt().start().await;
    for (name, said, told) in [
        ("retry-after", "7", Some("7")),
        ("retry-after", "99999999999999999999", Some("86400")),
        ("retry-after", "-1", None),
        ("retry-after", "soon", None),
        ("retry-after", "1e9", Some("86400")),
        ("retry-after-ms", "1500", Some("1500")),
        ("retry-after-ms", "99999999999999999999", Some("86400000")),
        ("retry-after-ms", "inf", None),
    ] {
        gateway.provider.answer(Reply::error(503).header(name, said));
        let answer = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
        assert_eq!((answer.status, answer.header(name)), (503, told), "{name}: {said}");
    }
}
