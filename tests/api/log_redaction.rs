//! What the gateway says of a request: one event, with the facts and without the content.

use crate::support::form::Form;
use crate::support::gateway::{Gateway, PROMPT, Setup, TRANSCRIPTIONS};
use crate::support::provider::TRANSCRIPT;
use crate::support::{audio, token};

#[tokio::test]
async fn each_request_is_one_event_with_its_facts() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let got = gateway.transcribe(Form::new().field("model", "gpt-transcribe").file(&audio)).await;
    let record = gateway.log.request(got.request_id()).await;
    for (field, value) in [
        ("subject", "alice".into()),
        ("route", TRANSCRIPTIONS.into()),
        ("model", "gpt-transcribe".into()),
        ("container", "wav".into()),
        ("codec", "pcm_s16le".into()),
        ("audio_ms", 300.into()),
        ("bytes", audio.len().into()),
        ("status", 200.into()),
        ("provider", "openai".into()),
        ("usage_input_tokens", 14.into()),
        ("usage_output_tokens", 45.into()),
        ("outcome", "answered".into()),
    ] {
        let value: serde_json::Value = value;
        assert_eq!(record[field], value, "{field} of {record}");
    }
    assert!(record["provider_ms"].is_number() && record["gateway_ms"].is_number(), "{record}");
    assert_eq!(gateway.log.requests().len(), 1);
}

#[tokio::test]
async fn refusals_are_recorded_with_their_code() {
    let gateway = Gateway::start().await;
    let wrong = gateway.transcribe(Form::new().field("temperature", "7").file(&audio::wav(300))).await;
    assert_eq!(gateway.log.request(wrong.request_id()).await["error"], "invalid_value");
    let nobody = gateway.send(gateway.request(reqwest::Method::GET, "/v1/models")).await;
    let record = gateway.log.request(nobody.request_id()).await;
    assert_eq!((&record["error"], &record["status"]), (&"invalid_token".into(), &401.into()));
    let nowhere = gateway.send(gateway.request(reqwest::Method::GET, "/a/path/without/end")).await;
    let record = gateway.log.request(nowhere.request_id()).await;
    assert_eq!(record["status"], 404);
    assert!(!record.to_string().contains("without"), "{record}");
}

/// The fixture searches everything that was said when it is dropped; here it is made to say as much as it can.
#[tokio::test]
async fn the_most_talkative_log_holds_no_content_and_no_secret() {
    let gateway = Setup::new().env("RUST_LOG", "trace").start().await;
    let audio = audio::wav(300);
    for stream in ["false", "true"] {
        let form =
            Form::new().fields(&[("model", "gpt-transcribe"), ("prompt", PROMPT), ("stream", stream)]).file(&audio);
        let got = gateway.transcribe(form).await;
        assert!(got.text().contains(TRANSCRIPT.split(' ').next().unwrap()));
    }
    let body = serde_json::json!({ "audio": base64(&audio), "prompt": PROMPT });
    let got = gateway.send(crate::support::form::json_on(gateway.post(TRANSCRIPTIONS), &body)).await;
    assert_eq!(got.status, 200);
    let got = gateway.send(gateway.request(reqwest::Method::GET, "/v1/models").bearer_auth(token::altered())).await;
    assert_eq!(got.status, 401);
    gateway.log.recorded(4).await;
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
