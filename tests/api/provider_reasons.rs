//! Why a provider refuses reaches the client, and the log in a word.

use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::provider::{KEY, Reply, TRANSCRIPT};

fn any_request() -> Form {
    Form::new().file(&audio::wav(300))
}

async fn refused(gateway: &Gateway, status: u16, content_type: &str, body: &str) -> Answer {
    gateway.provider.answer(Reply::whole(status, content_type, body));
    gateway.transcribe(any_request()).await
}

fn message(answer: &Answer) -> String {
    answer.error()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_unavailable_model_is_reported_in_the_providers_words() {
    let gateway = Setup::new().single_attempt().start().await;
    let error = json!({ "error": {
        "message": "Project `proj_1` does not have access to model `gpt-transcribe`",
        "type": "invalid_request_error", "param": null, "code": "model_not_found",
    } });
    let got = refused(&gateway, 403, "application/json", &error.to_string()).await;
    got.is_error(403, "model_not_found", None);
    assert_eq!(got.json(), error);
    let line = gateway.log.request(got.request_id()).await;
    let facts = ["provider_status", "provider_error_type", "provider_error_code"].map(|name| line[name].clone());
    assert_eq!(facts, [json!(403), json!("invalid_request_error"), json!("model_not_found")], "{line}");
    // The key is as good as before.
    assert_eq!(gateway.transcribe(any_request()).await.status, 200);
}

#[tokio::test]
async fn a_refusal_of_the_key_is_for_the_operator() {
    let gateway = Setup::new().single_attempt().start().await;
    let error = |message: &str, code: &str| {
        json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code } })
            .to_string()
    };
    for (status, body, code) in [
        (403, error(&format!("Incorrect API key provided: {KEY}."), "invalid_api_key"), Some("invalid_api_key")),
        (403, json!({ "detail": "Not authenticated" }).to_string(), None),
        (403, "<html>Forbidden</html>".to_owned(), None),
        (403, String::new(), None),
        (407, error("Who are you?", "x"), Some("x")),
        (401, error("Your account is not active.", "billing_not_active"), Some("billing_not_active")),
    ] {
        let got = refused(&gateway, status, "application/json", &body).await;
        got.is_error(502, "provider_auth_failed", None);
        let line = gateway.log.request(got.request_id()).await;
        assert_eq!(
            (line["provider_status"].as_u64(), line["provider_error_code"].as_str()),
            (Some(status.into()), code),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_sentence_is_found_in_whatever_shape_a_server_has() {
    let gateway = Gateway::start().await;
    let fastapi = json!({ "detail": [
        { "loc": ["body", "file"], "msg": "Field required", "type": "missing", "input": TRANSCRIPT },
        { "loc": ["body", "temperature"], "msg": "Input should be a valid number", "type": "float_parsing" },
    ] });
    let cases: [(&str, Value, &str); 7] = [
        ("application/json", fastapi, "body.file: Field required; body.temperature: Input should be a valid number"),
        ("application/json", json!({ "detail": "No such voice." }), "No such voice."),
        ("application/json", json!({ "message": "No such voice." }), "No such voice."),
        ("application/json", json!({ "error": "No such voice." }), "No such voice."),
        ("application/problem+json", json!({ "title": "Bad", "detail": "No such voice." }), "No such voice."),
        ("text/html", json!({ "errors": [{ "message": "No such voice." }] }), "No such voice."),
        (
            "application/json",
            json!({ "error": { "message": "No such voice.", "status": "X", "code": 3 } }),
            "No such voice.",
        ),
    ];
    for (content_type, body, sentence) in cases {
        let got = refused(&gateway, 422, content_type, &body.to_string()).await;
        assert_eq!((got.status, message(&got).as_str()), (422, sentence), "{body}");
        assert_eq!(got.error()["type"], "invalid_request_error", "{body}");
    }
    let got = refused(&gateway, 422, "text/plain", "No such\n voice.\u{7}").await;
    assert_eq!(message(&got), "No such  voice.");
    let got = refused(&gateway, 400, "text/plain", &"x".repeat(70_000)).await;
    assert_eq!(message(&got).len(), 1000);
    let long = json!({ "error": { "message": "x".repeat(5000), "type": "t", "param": null, "code": "c" } });
    let got = refused(&gateway, 400, "application/json", &long.to_string()).await;
    assert_eq!((message(&got).len(), &got.error()["code"]), (1000, &json!("c")));
}

/// As whisper.cpp's server does.
#[tokio::test]
async fn an_error_with_status_200_says_why() {
    let gateway = Setup::new().single_attempt().start().await;
    let got = refused(&gateway, 200, "application/json", r#"{"error":"FFmpeg conversion failed."}"#).await;
    got.is_error(502, "provider_error", None);
    assert!(message(&got).ends_with("It says: FFmpeg conversion failed."), "{}", message(&got));
    assert!(!gateway.log.text().contains("FFmpeg"), "the sentence of a provider is in the log");
}

#[tokio::test]
async fn json_that_is_called_a_page_is_taken_where_it_is_json() {
    let gateway = Setup::new().single_attempt().start().await;
    let html = "text/html; charset=utf-8";
    let got = refused(&gateway, 200, html, r#"{"text":"hello"}"#).await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
    assert_eq!(got.text(), r#"{"text":"hello"}"#);
    for body in ["<html>{}</html>", "{\"text\":", "", "hello"] {
        refused(&gateway, 200, html, body).await.is_error(502, "provider_error", None);
    }
    refused(&gateway, 200, html, r#"{"error":"No."}"#).await.is_error(502, "provider_error", None);
    // A page may be all that there is in a text.
    let text = Form::new().fields(&[("model", "gpt-transcribe"), ("response_format", "text")]).file(&audio::wav(300));
    gateway.provider.answer(Reply::whole(200, html, "<html>Log in</html>"));
    gateway.transcribe(text).await.is_error(502, "provider_error", None);
    let stream = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
    let event = json!({ "type": "transcript.text.done", "text": "hello" });
    gateway.provider.answer(Reply::chunked(html).send(format!("data: {event}\n\n")));
    let got = gateway.transcribe(stream).await;
    assert_eq!(got.events(), [event.to_string(), "[DONE]".to_owned()]);
}
