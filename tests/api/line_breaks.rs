//! The gateway's own JSON ends with a line break, and a provider's is its own.

use reqwest::Method;
use serde_json::json;

use crate::support::form::{Form, json_on};
use crate::support::gateway::{Answer, Gateway};
use crate::support::provider::Reply;
use crate::support::{audio, token};

#[track_caller]
fn ends_with_a_line_break(answer: &Answer, place: &str) {
    let text = answer.text();
    assert!(text.ends_with("}\n") && !text.ends_with("\n\n"), "{place}: {text:?}");
    answer.json();
    assert_eq!(answer.header("content-length"), Some(text.len().to_string().as_str()), "{place}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{place}");
}

#[tokio::test]
async fn a_terminals_prompt_stands_on_a_line_of_its_own() {
    let gateway = Gateway::start().await;
    for path in ["/v1/models", "/v1/models/gpt-transcribe", "/v1/usage", "/health/live", "/health/ready", "/nowhere"] {
        ends_with_a_line_break(&gateway.send(gateway.get(path)).await, path);
    }
    for path in ["/v1/models", "/v1/models/no-such-model", "/v1/usage"] {
        ends_with_a_line_break(&gateway.send(gateway.request(Method::GET, path)).await, path);
    }
    let token = token::with(&json!({ "scope": "transcribe sessions" }));
    let sessions = |method| gateway.request(method, "/v1/sessions").bearer_auth(&token);
    let opened = json_on(sessions(Method::POST), &json!({ "subject": "bob" }));
    ends_with_a_line_break(&gateway.send(opened).await, "POST /v1/sessions");
    ends_with_a_line_break(&gateway.send(sessions(Method::GET)).await, "GET /v1/sessions");
    ends_with_a_line_break(&gateway.transcribe(Form::new().file(b"no audio")).await, "an error of a form");
}

#[tokio::test]
async fn a_providers_body_stays_byte_for_byte() {
    let gateway = Gateway::start().await;
    let error = r#"{"error": {"message":"No.","type":"t","param":null,"code":null} }"#;
    for (status, body) in [(200, r#"{"text": "hello"}"#), (200, "{\"text\":\"hello\"}\n\n"), (400, error)] {
        gateway.provider.answer(Reply::whole(status, "application/json", body));
        let got = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
        assert_eq!((got.status, got.text()), (status, body));
    }
}
