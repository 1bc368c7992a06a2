//! What a provider's failure looks like from outside: one clear error, no trace of the key.

use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Gate, KEY, Reply};

fn any_request() -> Form {
    Form::new().file(&audio::wav(300))
}

fn openai_error(kind: &str, code: &str) -> Value {
    json!({ "error": { "message": "Said by the provider.", "type": kind, "param": "file", "code": code } })
}

const HTML: &str = "<html><head><title>Too bad</title></head><body><center>cloudflare</center></body></html>";

#[tokio::test]
async fn an_error_in_openais_shape_passes_as_it_is() {
    let gateway = Setup::new().single_attempt().start().await;
    // The last one is one after which the provider is left alone for a moment.
    for status in [400, 404, 409, 413, 422, 500, 503, 429] {
        let error = openai_error("kind_of_provider", "code_of_provider");
        gateway.provider.answer(Reply::json(status, &error));
        let answer = gateway.transcribe(any_request()).await;
        answer.is_error(status, "code_of_provider", Some("file"));
        assert_eq!(answer.text(), error.to_string(), "{status}");
    }
}

#[tokio::test]
async fn a_page_of_html_or_nothing_at_all_becomes_an_error_in_openais_shape() {
    let gateway = Setup::new().single_attempt().start().await;
    let cases = [
        (413, "text/html", HTML, 413, "file_too_large"),
        (502, "text/html", HTML, 502, "provider_error"),
        (500, "text/plain", "", 500, "provider_error"),
        (503, "text/html", HTML, 503, "provider_unavailable"),
        (504, "text/html", HTML, 504, "provider_timeout"),
        (500, "application/json", "{\"error\":", 500, "provider_error"),
        (302, "text/html", HTML, 502, "provider_error"),
        (429, "text/html", HTML, 429, "provider_error"),
    ];
    for (status, content_type, body, expected, code) in cases {
        gateway.provider.answer(Reply::whole(status, content_type, body));
        let answer = gateway.transcribe(any_request()).await;
        assert_eq!(answer.status, expected, "{status}: {}", answer.text());
        assert_eq!(answer.error()["code"], code, "{status}");
        assert!(!answer.text().contains('<'), "{status}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_a_self_hosted_server_says_is_kept() {
    let gateway = Gateway::start().await;
    for body in [
        json!({ "detail": "No such voice." }),
        json!({ "error": "No such voice." }),
        json!({ "message": "No such voice." }),
    ] {
        gateway.provider.answer(Reply::json(400, &body));
        let answer = gateway.transcribe(any_request()).await;
        assert_eq!((answer.status, &answer.error()["message"]), (400, &json!("No such voice.")), "{body}");
    }
}

#[tokio::test]
async fn the_provider_says_when_to_come_back() {
    let gateway = Setup::new().single_attempt().start().await;
    let error = openai_error("requests", "rate_limit_exceeded");
    let reply = Reply::json(429, &error)
        .header("retry-after", "7")
        .header("retry-after-ms", "6500")
        .header("x-should-retry", "true");
    gateway.provider.answer(reply);
    let answer = gateway.transcribe(any_request()).await;
    answer.is_error(429, "rate_limit_exceeded", Some("file"));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.header("retry-after-ms"), Some("6500"));
    assert_eq!(answer.header("x-should-retry"), Some("true"));
}

#[tokio::test]
async fn a_provider_that_refuses_the_servers_key_is_the_servers_fault() {
    let gateway = Gateway::start().await;
    // After the second the key is not used any more.
    for status in [403, 401] {
        let message = format!("Incorrect API key provided: {KEY}. Also known as sk-proj-********een1.");
        let error = json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": "invalid_api_key" } });
        gateway.provider.answer(Reply::json(status, &error));
        let answer = gateway.transcribe(any_request()).await;
        answer.is_error(502, "provider_auth_failed", None);
        assert!(!answer.text().contains("sk-"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_key_in_an_error_is_taken_out_whole_or_masked() {
    let gateway = Gateway::start().await;
    let masked = "sk-proj-********een1";
    for text in [KEY, masked, &format!("Bearer {KEY}")] {
        let error = json!({ "error": { "message": format!("Cannot use {text} here."), "type": "x", "param": null, "code": null } });
        for body in [error, json!({ "detail": format!("Cannot use {text} here.") })] {
            gateway.provider.answer(Reply::json(400, &body));
            let answer = gateway.transcribe(any_request()).await;
            assert_eq!(answer.status, 400);
            assert!(!answer.text().contains("sk-"), "{}", answer.text());
            assert!(answer.text().contains("Cannot use"), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_key_in_a_header_of_the_provider_goes_no_further() {
    let gateway = Gateway::start().await;
    let reply = Reply::json(400, &openai_error("x", "y")).header("retry-after", KEY).header("openai-version", KEY);
    gateway.provider.answer(reply);
    // The fixture looks for the key in everything that was heard.
    assert_eq!(gateway.transcribe(any_request()).await.status, 400);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_not_half_an_answer() {
    let gateway = Setup::new().single_attempt().start().await;
    gateway.provider.answer(Reply::cut_short("application/json", "{\"text\":\"Sphinx of"));
    let answer = gateway.transcribe(any_request()).await;
    answer.is_error(502, "provider_error", None);
    assert!(!answer.text().contains("Sphinx"));
}

#[tokio::test]
async fn an_answer_larger_than_is_allowed_is_an_error() {
    let gateway = Gateway::with(&[("VOXGATE_UPSTREAM__MAX_ANSWER_BYTES", "1000")]).await;
    gateway.provider.answer(Reply::json(200, &json!({ "text": "x".repeat(2000) })));
    gateway.transcribe(any_request()).await.is_error(502, "provider_error", None);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_given_up() {
    let gateway = Gateway::with(&[("VOXGATE_UPSTREAM__RESPONSE_TIMEOUT", "300ms")]).await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({})).held_by(&never));
    gateway.transcribe(any_request()).await.is_error(504, "provider_timeout", None);
    gateway.provider.hung_up(1).await;
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unreachable() {
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}/v1");
    let gateway = Setup::new().single_attempt().env("OPENAI_BASE_URL", &address).start().await;
    gateway.transcribe(any_request()).await.is_error(502, "provider_unreachable", None);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let gateway = Gateway::start().await;
    let elsewhere = format!("{}/audio/transcriptions", gateway.provider.base_url());
    gateway.provider.answer(Reply::whole(307, "text/plain", "").header("location", &elsewhere));
    let answer = gateway.transcribe(any_request()).await;
    assert_eq!(answer.status, 502);
    assert_eq!(gateway.provider.requests(), 1);
}

#[tokio::test]
async fn what_is_neither_a_transcript_nor_an_error_is_the_providers_fault() {
    let gateway = Setup::new().single_attempt().start().await;
    let error = openai_error("kind", "code").to_string();
    let cases = [
        (200, "text/html", HTML),
        (200, "application/json", ""),
        (200, "application/json", r#"{"text":"cut o"#),
        (200, "application/json", error.as_str()),
        (204, "application/json", ""),
        (206, "application/json", error.as_str()),
        (300, "application/json", error.as_str()),
        (302, "application/json", error.as_str()),
        (999, "application/json", error.as_str()),
    ];
    for (status, content_type, body) in cases {
        gateway.provider.answer(Reply::whole(status, content_type, body));
        gateway.transcribe(any_request()).await.is_error(502, "provider_error", None);
    }
}

#[tokio::test]
async fn a_key_is_redacted_even_if_escaped_or_in_a_good_answer() {
    let gateway = Gateway::start().await;
    let (first, rest) = KEY.split_at(1);
    let hidden = format!("\\u{:04x}{rest}", u32::from(first.as_bytes()[0]));
    for (status, body) in [
        (400, format!(r#"{{"error":{{"message":"no: {hidden}","type":"t","param":null,"code":null}}}}"#)),
        (200, format!(r#"{{"text":"your key is {KEY}"}}"#)),
    ] {
        gateway.provider.answer(Reply::whole(status, "application/json", body));
        let answer = gateway.transcribe(any_request()).await;
        assert_eq!(answer.status, status);
        let text = answer.json().to_string();
        assert!(!text.contains(KEY) && text.contains("[redacted]"), "{text}");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_not_passed_on_as_text() {
    let gateway = Gateway::start().await;
    let reply = Reply::whole(200, "application/json", vec![0x1f, 0x8b, 8, 0]).header("content-encoding", "gzip");
    gateway.provider.answer(reply);
    gateway.transcribe(any_request()).await.is_error(502, "provider_error", None);
    assert_eq!(gateway.provider.last().header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn an_answers_type_is_one_that_transcripts_have() {
    let gateway = Gateway::start().await;
    let with_key = format!("application/json; k={KEY}");
    for given in [with_key.as_str(), "image/svg+xml", "application/json"] {
        gateway.provider.answer(Reply::whole(200, given, r#"{"text":"hello"}"#));
        let answer = gateway.transcribe(any_request()).await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{given}");
        assert_eq!(answer.text(), r#"{"text":"hello"}"#);
    }
}
