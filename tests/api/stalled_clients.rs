//! A client cannot hold what costs something by doing nothing.

use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::poll::let_pass;
use crate::support::provider::{Gate, Reply, more_than_sockets_hold};
use crate::support::{audio, token};

fn request(query: &str, audio: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {TRANSCRIPTIONS}?model=gpt-transcribe{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: audio/wav\r\nContent-Length: {}\r\n\r\n",
        token::good(),
        audio.len()
    );
    [head.as_bytes(), audio].concat()
}

#[tokio::test]
async fn a_second_head_has_as_little_time_as_the_first() {
    let limits = [("VOXGATE_SERVER__HEADER_TIMEOUT", "300ms"), ("VOXGATE_SERVER__KEEP_ALIVE", "900ms")];
    let gateway = Gateway::with(&limits).await;
    for first in
        ["GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    {
        // A beginning of a head that comes with the first request, and one that comes after its answer.
        for (with, after) in [("", "G"), ("G", "")] {
            let mut wire = gateway.wire().await;
            wire.send(format!("{first}{with}")).await;
            assert!(wire.head().await.starts_with("HTTP/1.1 "));
            wire.send(after).await;
            // The wire's own patience would end first if the gateway did not close.
            wire.rest().await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_waits_between_requests_is_kept() {
    let gateway = Gateway::with(&[("VOXGATE_SERVER__HEADER_TIMEOUT", "700ms")]).await;
    let mut wire = gateway.wire().await;
    for _ in 0..3 {
        wire.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        wire.until("live\"}").await;
        let_pass(std::time::Duration::from_millis(900)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_lets_the_provider_go() {
    let gateway = Gateway::with(&[("VOXGATE_SERVER__WRITE_TIMEOUT", "300ms")]).await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::stream().send(more_than_sockets_hold()).wait(&gate));
    let mut wire = gateway.wire().await;
    wire.send(request("&stream=true", &audio::wav(300))).await;
    gateway.provider.hung_up(1).await;
    gateway.log.recorded(1).await;
    assert_eq!(gateway.log.requests()[0]["outcome"], "client_gone");
}

#[tokio::test]
async fn a_client_that_sends_ahead_and_goes_takes_its_request_with_it() {
    let gateway = Gateway::start().await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::whole(200, "application/json", "{}").held_by(&never));
    let mut wire = gateway.wire().await;
    wire.send(request("", &audio::wav(300))).await;
    gateway.provider.asked(1).await;
    // The gateway may close on the way, which is what is wanted.
    wire.try_send(&b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(12_000)).await;
    drop(wire);
    gateway.provider.hung_up(1).await;
    // Others are served as before.
    let answer = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
    assert_eq!(answer.status, 200);
}
