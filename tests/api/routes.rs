//! Where there is nothing, a client is told so in the shape that it knows.

use reqwest::Method;

use crate::support::gateway::{Gateway, TRANSCRIPTIONS, TRANSLATIONS};

#[tokio::test]
async fn an_unknown_path_is_a_json_error() {
    let gateway = Gateway::start().await;
    for path in
        ["/v1", "/v1/chat/completions", "/v1/audio/transcriptions/7", "/metrics", "/v1/audio/%00", "/docs/../etc"]
    {
        for method in [Method::GET, Method::POST] {
            let answer = gateway.send(gateway.request(method, path)).await;
            answer.is_error(404, "not_found", None);
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_json_error_that_names_the_right_one() {
    let gateway = Gateway::start().await;
    let cases = [
        (Method::GET, TRANSCRIPTIONS, "POST"),
        (Method::DELETE, TRANSLATIONS, "POST"),
        (Method::POST, "/v1/models", "GET"),
        (Method::PUT, "/health/live", "GET"),
    ];
    for (method, path, allowed) in cases {
        let answer = gateway.send(gateway.request(method, path)).await;
        answer.is_error(405, "method_not_allowed", None);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains(allowed)), "{path}");
    }
}

#[tokio::test]
async fn both_listeners_answer_probes_and_only_the_first_has_the_api() {
    let gateway = Gateway::start().await;
    for path in ["/health/live", "/health/ready"] {
        for request in [gateway.request(Method::GET, path), gateway.operational(path)] {
            assert_eq!(gateway.send(request).await.status, 200, "{path}");
        }
    }
    let refused = gateway.operational("/v1/models").send().await.unwrap();
    assert_eq!(refused.status(), 404);
}

#[tokio::test]
async fn the_contract_and_its_page_need_nothing_from_elsewhere() {
    let gateway = Gateway::start().await;
    let contract = gateway.send(gateway.request(Method::GET, "/openapi.yaml")).await;
    assert_eq!(contract.status, 200);
    assert!(contract.text().starts_with("openapi: 3.1"), "{}", &contract.text()[..40]);
    let page = gateway.send(gateway.request(Method::GET, "/docs")).await;
    assert_eq!(page.status, 200);
    let html = page.text();
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "{html}");
    let assets: Vec<_> = html.split(['"', '\'']).filter(|text| text.starts_with("/docs/")).collect();
    assert!(assets.len() >= 3, "{html}");
    for asset in assets {
        let answer = gateway.send(gateway.request(Method::GET, asset)).await;
        assert!(answer.status == 200 && !answer.body.is_empty(), "{asset}");
    }
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere() {
    let gateway = Gateway::start().await;
    let page = gateway.send(gateway.request(Method::GET, "/docs")).await;
    let policy = page.header("content-security-policy").unwrap();
    for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|part| part == rule), "{policy}");
    }
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    // Nor is anything that a caller says taken for a page.
    for path in ["/docs", "/openapi.yaml", "/health/live", "/nowhere<script>", "/v1/models"] {
        let answer = gateway.send(gateway.request(Method::GET, path)).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}
