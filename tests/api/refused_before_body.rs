//! What can be refused by the head of a request is refused before a byte of its body is asked for.

use serde_json::json;

use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::poll::let_pass;
use crate::support::wire::request_head;
use crate::support::{audio, token};

const EXPECT: &str = "Expect: 100-continue\r\n";

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_when_all_is_well() {
    let gateway = Gateway::start().await;
    let form = Form::new().file(&audio::wav(300)).bytes();
    let mut wire = gateway.wire().await;
    wire.send(request_head(&token::good(), &Form::content_type(), form.len(), EXPECT)).await;
    assert_eq!(wire.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.send(form).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_without_being_told_to_go_on() {
    let gateway = Setup::new().config("[plans.default]\n[intake]\nmax_audio_bytes = 26214400\n").start().await;
    let good = token::good();
    let unscoped = token::with(&json!({ "scope": "usage" }));
    let unplanned = token::with(&json!({ "plan": "nobody-has-it" }));
    let form = Form::content_type();
    let cases = [
        ("no token of ours", request_head(&token::altered(), &form, 1000, EXPECT), 401, "invalid_token"),
        ("expired", request_head(&token::with(&json!({ "exp": 1000 })), &form, 1000, EXPECT), 401, "token_expired"),
        ("no scope", request_head(&unscoped, &form, 1000, EXPECT), 403, "insufficient_scope"),
        ("no plan", request_head(&unplanned, &form, 1000, EXPECT), 403, "unknown_plan"),
        ("too large", request_head(&good, "audio/wav", 26_214_401, EXPECT), 413, "file_too_large"),
        ("far too large", request_head(&good, &form, 99_999_999_999, EXPECT), 413, "file_too_large"),
        ("wrong type", request_head(&good, "text/plain", 1000, EXPECT), 415, "unsupported_media_type"),
        (
            "no time",
            request_head(&good, &form, 1000, &format!("{EXPECT}X-Request-Timeout-Ms: 0\r\n")),
            400,
            "invalid_value",
        ),
    ];
    for (case, head, status, code) in cases {
        let mut wire = gateway.wire().await;
        wire.send(head).await;
        let answer = wire.head().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{case}: {answer}");
        assert!(answer.contains("x-request-id: "), "{case}: {answer}");
        let body = wire.until("}}").await;
        assert!(body.contains(&format!("\"code\":\"{code}\"")), "{case}: {body}");
    }
    gateway.log.recorded(8).await;
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_ask_is_refused_before_it_has_sent_its_body() {
    let gateway = Setup::new().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400").start().await;
    let cases = [
        (request_head(&token::altered(), &Form::content_type(), 20_000_000, ""), 401),
        (request_head(&token::with(&json!({ "scope": "translate" })), &Form::content_type(), 20_000_000, ""), 403),
        (request_head(&token::good(), "audio/wav", 26_214_401, ""), 413),
        (request_head(&token::good(), "application/json", 99_999_999_999, ""), 413),
    ];
    for (head, status) in cases {
        let mut wire = gateway.wire().await;
        // Not a byte of the body follows.
        wire.send(head).await;
        let answer = wire.head().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_after_its_refusal_still_reads_it() {
    let gateway = Setup::new().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400").start().await;
    let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(token::altered());
    let form = Form::new().file(&audio::wav_of_bytes(20_000_000));
    gateway.send(form.on(request)).await.is_error(401, "invalid_token", None);
    let request = gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav");
    let answer = gateway.send(request.body(audio::wav_of_bytes(40_000_000))).await;
    answer.is_error(413, "file_too_large", Some("file"));
}

#[tokio::test]
async fn a_client_that_trickles_is_dropped() {
    let gateway =
        Gateway::with(&[("VOXGATE_INTAKE__BODY_TIMEOUT", "1s"), ("VOXGATE_INTAKE__IDLE_TIMEOUT", "400ms")]).await;
    for trickle in [false, true] {
        let mut wire = gateway.wire().await;
        wire.send(request_head(&token::good(), "audio/wav", 1_000_000, "")).await;
        wire.send(&audio::wav(300)[..100]).await;
        // Slow enough to be too late in all, fast enough never to be silent for too long.
        for _ in 0..if trickle { 11 } else { 0 } {
            let_pass(std::time::Duration::from_millis(100)).await;
            wire.send(b"x").await;
        }
        let answer = wire.head().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(wire.rest().await.contains("\"code\":\"request_timeout\""));
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_dropped() {
    let gateway = Gateway::with(&[("VOXGATE_SERVER__HEADER_TIMEOUT", "300ms")]).await;
    let mut wire = gateway.wire().await;
    wire.send(format!("POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")).await;
    let rest = wire.rest().await;
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408 "), "{rest}");
}
