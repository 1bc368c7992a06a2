//! Pages of other origins call the gateway when their origin is on the list, and not otherwise.

use reqwest::Method;
use serde_json::json;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS, run};
use crate::support::provider::Reply;

const ORIGIN: &str = "https://app.example.com";

/// Origins of apps and browser extensions.
const APPS: [&str; 7] = [
    "app://obsidian.md",
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
    "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
    "vscode-webview://1drnr9ho6i3sqm1vqf0d2t1ub6g2fgbv",
];

async fn start() -> Gateway {
    Setup::new().env("VOXGATE_CORS__ORIGINS", &format!("{ORIGIN},http://localhost:3000")).start().await
}

#[tokio::test]
async fn an_app_or_an_extension_calls_from_the_origin_of_its_own_scheme() {
    let gateway = Setup::new().env("VOXGATE_CORS__ORIGINS", &APPS.join(",")).start().await;
    for origin in APPS {
        let asked = asked_first(&gateway, origin, TRANSCRIPTIONS, "POST").await;
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (200, Some(origin)));
        let form = Form::new().file(&audio::wav(300));
        let served = gateway.send(form.on(gateway.post(TRANSCRIPTIONS).header("origin", origin))).await;
        assert_eq!((served.status, served.header("access-control-allow-origin")), (200, Some(origin)));
    }
    for origin in ["app://other.md", "capacitor://localhost:1", "Tauri://localhost", "tauri://localhost/", "null"] {
        asked_first(&gateway, origin, TRANSCRIPTIONS, "POST").await.is_error(403, "origin_not_allowed", None);
    }
}

async fn asked_first(gateway: &Gateway, origin: &str, path: &str, method: &str) -> Answer {
    let request = gateway
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type,x-stainless-lang");
    gateway.send(request).await
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_yes_without_a_token() {
    let gateway = start().await;
    for (path, method) in [(TRANSCRIPTIONS, "POST"), ("/v1/usage", "GET"), ("/v1/sessions/some-id", "DELETE")] {
        for origin in [ORIGIN, "http://localhost:3000"] {
            let answer = asked_first(&gateway, origin, path, method).await;
            assert_eq!((answer.status, answer.text()), (200, ""));
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            assert!(answer.header("access-control-allow-methods").unwrap().contains(method));
            let headers = answer.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("authorization") && headers.contains("x-stainless-lang"), "{headers}");
            assert_eq!(answer.header("access-control-max-age"), Some("600"));
            assert!(answer.header("vary").unwrap().to_ascii_lowercase().contains("origin"));
            // Tokens come in a header, never in a cookie.
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_page_that_is_not_on_the_list_is_told_no() {
    let gateway = start().await;
    for origin in [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://sub.app.example.com",
        "https://APP.example.com",
        "null",
    ] {
        let answer = asked_first(&gateway, origin, TRANSCRIPTIONS, "POST").await;
        answer.is_error(403, "origin_not_allowed", None);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        // One that does not ask first is answered, but the browser gives the page nothing of it.
        let answer = gateway.send(gateway.get("/v1/models").header("origin", origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
    let answer = asked_first(&gateway, ORIGIN, TRANSCRIPTIONS, "PATCH").await;
    answer.is_error(403, "origin_not_allowed", None);
}

#[tokio::test]
async fn a_page_sees_answers_and_errors_and_what_their_headers_say() {
    let gateway = start().await;
    let form = || Form::new().file(&audio::wav(300));
    let reply = Reply::json(200, &json!({ "text": "hello" })).header("openai-version", "2020-10-01");
    gateway.provider.answer(reply.header("openai-processing-ms", "7"));
    let served = gateway.send(form().on(gateway.post(TRANSCRIPTIONS).header("origin", ORIGIN))).await;
    let unknown = gateway.send(gateway.get("/nowhere").header("origin", ORIGIN)).await;
    let anonymous = gateway.request(Method::POST, TRANSCRIPTIONS).header("origin", ORIGIN);
    let refused = gateway.send(form().on(anonymous)).await;
    let stream = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
    let streamed = gateway.send(stream.on(gateway.post(TRANSCRIPTIONS).header("origin", ORIGIN))).await;
    for (answer, status) in [(served, 200), (unknown, 404), (refused, 401), (streamed, 200)] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{status}");
        let exposed: Vec<_> = answer.header("access-control-expose-headers").unwrap().split(", ").collect();
        let ours = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
        let told = ["x-r", "x-s", "x-voxgate", "ratelimit", "openai-"];
        for name in ours.filter(|name| told.iter().any(|start| name.starts_with(start))) {
            assert!(exposed.contains(&name), "{name} is hidden: {exposed:?}");
        }
    }
}

#[tokio::test]
async fn without_a_list_no_answer_says_anything_of_it() {
    let gateway = Gateway::start().await;
    let answer = asked_first(&gateway, ORIGIN, TRANSCRIPTIONS, "POST").await;
    answer.is_error(405, "method_not_allowed", None);
    let got = gateway.send(gateway.get("/v1/models").header("origin", ORIGIN)).await;
    for answer in [answer, got] {
        let says = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(says, None);
    }
}

#[tokio::test]
async fn an_origin_that_no_browser_would_send_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (origin, what) in [
        ("*", "each by its name"),
        ("null", "each by its name"),
        ("app.example.com", "with https:// or http://"),
        ("https://app.example.com/", "browsers would write \"https://app.example.com\""),
        ("https://app.example.com/page", "browsers would write \"https://app.example.com\""),
        ("https://App.example.com", "browsers would write \"https://app.example.com\""),
        ("https://app.example.com:443", "browsers would write \"https://app.example.com\""),
        ("https://*.example.com", "each by its name"),
        ("http://app.example.com", "takes https:// unless it is this machine"),
        ("app://obsidian.md/", "browsers would write \"app://obsidian.md\""),
        ("APP://obsidian.md", "browsers would write \"app://obsidian.md\""),
        ("chrome-extension://*", "each by its name"),
        ("app://user@host", "this is no origin"),
        ("file://", "no origin of their own"),
        ("wss://app.example.com", "no origin of their own"),
        ("javascript:alert(1)", "with https:// or http://"),
    ] {
        let output = run(&["check"], &[("VOXGATE_CORS__ORIGINS", origin)], folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(what), "{origin}: {said}");
    }
}
