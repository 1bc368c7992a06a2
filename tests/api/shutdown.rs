//! How the gateway ends: what is in flight is finished.

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply, TRANSCRIPT, answer, events};

#[tokio::test]
async fn a_stream_in_flight_is_finished_before_the_end() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::start().await;
        let gate = Gate::closed();
        let all = Framing::PLAIN.all(&events());
        let (first, rest) = all.split_at(Framing::PLAIN.event(&events()[0]).len());
        gateway.provider.answer(Reply::stream().send(first).wait(&gate).send(rest));
        let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
        let mut stream = gateway.open(form.on(gateway.post(TRANSCRIPTIONS))).await;
        assert_eq!(stream.until("\n\n").await, first);
        gateway.signal(signal);
        gateway.log.find("stopping", |line| line.contains("stopping").then_some(())).await;
        gate.open();
        assert_eq!(stream.rest().await, format!("{rest}data: [DONE]\n\n"));
        assert_eq!(gateway.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_new_ones_are_not_taken() {
    let mut gateway = Gateway::start().await;
    let gate = Gate::closed();
    let (content_type, body) = answer("json");
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let in_flight = gateway.transcribe(Form::new().file(&audio::wav(300)));
    let meanwhile = async {
        gateway.provider.asked(1).await;
        gateway.terminate();
        gateway.log.find("stopping", |line| line.contains("stopping").then_some(())).await;
        let late = gateway.get("/v1/models").send().await;
        assert!(late.is_err(), "a new connection was taken");
        gate.open();
    };
    let (got, ()) = tokio::join!(in_flight, meanwhile);
    assert_eq!((got.status, got.text().contains(TRANSCRIPT)), (200, true));
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_wait_for_requests_in_flight_is_bounded() {
    let mut gateway = Gateway::with(&[("VOXGATE_SERVER__SHUTDOWN_TIMEOUT", "1s")]).await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
    let mut stream = gateway.open(form.on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once() {
    // It could wait for longer than this test does.
    let mut gateway = Gateway::with(&[("VOXGATE_SERVER__SHUTDOWN_TIMEOUT", "1h")]).await;
    // A connection that is kept for a next request does not hold it up.
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
}
