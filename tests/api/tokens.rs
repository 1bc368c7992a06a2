//! Who is calling: a token is right in every point, or nothing happens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS, TRANSLATIONS};
use crate::support::token::{self, SECRET, claims, now, signed};

async fn call(gateway: &Gateway, path: &str, authorization: Option<&str>) -> Answer {
    let request = gateway.request(reqwest::Method::POST, path);
    let request = authorization.into_iter().fold(request, |request, value| request.header("authorization", value));
    gateway.send(Form::new().field("model", "whisper-1").file(&audio::wav(300)).on(request)).await
}

#[tokio::test]
async fn a_token_that_is_wrong_in_any_point_is_refused() {
    let gateway = Gateway::start().await;
    let soon = now() + 3600;
    let cases: [(&str, Option<String>, &str); 19] = [
        ("none", None, "invalid_token"),
        ("empty", Some(String::new()), "invalid_token"),
        ("another scheme", Some("Basic YWxpY2U6c2VjcmV0".to_owned()), "invalid_token"),
        ("a scheme alone", Some("Bearer".to_owned()), "invalid_token"),
        ("no JWT", bearer("not-a-token"), "invalid_token"),
        ("three parts of nothing", bearer("a.b.c"), "invalid_token"),
        ("an API key", bearer("sk-1234567890abcdef"), "invalid_token"),
        ("expired", bearer(&token::with(&json!({ "exp": now() - 60 }))), "token_expired"),
        ("no exp", bearer(&token::with(&json!({ "exp": null }))), "invalid_token"),
        ("exp that is no number", bearer(&token::with(&json!({ "exp": "tomorrow" }))), "invalid_token"),
        ("not yet valid", bearer(&token::with(&json!({ "nbf": soon }))), "invalid_token"),
        ("no sub", bearer(&token::with(&json!({ "sub": null }))), "invalid_token"),
        ("an empty sub", bearer(&token::with(&json!({ "sub": "" }))), "invalid_token"),
        ("a sub with a line break", bearer(&token::with(&json!({ "sub": "alice\nbob" }))), "invalid_token"),
        ("unsigned", bearer(&token::unsigned()), "invalid_token"),
        ("altered", bearer(&token::altered()), "invalid_token"),
        ("another algorithm", bearer(&signed(Algorithm::HS512, SECRET, &claims())), "invalid_token"),
        (
            "another secret",
            bearer(&signed(Algorithm::HS256, "another secret of 32 bytes or more", &claims())),
            "invalid_token",
        ),
        ("far too long", bearer(&token::with(&json!({ "note": "x".repeat(20_000) }))), "invalid_token"),
    ];
    for (case, authorization, code) in cases {
        let answer = call(&gateway, TRANSCRIPTIONS, authorization.as_deref()).await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (401, Some(code)), "{case}");
        assert_eq!(answer.error()["type"], "authentication_error", "{case}");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{case}");
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[allow(clippy::unnecessary_wraps, reason = "a header may also be left out")]
fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

/// RFC 7519 §4.1.2 makes `sub` a text. A number has several spellings (`7`, `7.0`), which would be several callers.
#[tokio::test]
async fn a_subject_that_is_a_number_is_refused() {
    let gateway = Gateway::start().await;
    for sub in [json!(7), json!(7.5), json!(-1), json!(true), json!(["alice"]), json!({ "id": "alice" })] {
        let token = token::with(&json!({ "sub": sub }));
        let answer = call(&gateway, TRANSCRIPTIONS, bearer(&token).as_deref()).await;
        answer.is_error(401, "invalid_token", None);
        assert!(answer.text().contains("`sub`"), "{sub}: {}", answer.text());
    }
    assert_eq!(
        call(&gateway, TRANSCRIPTIONS, bearer(&token::with(&json!({ "sub": "7" }))).as_deref()).await.status,
        200
    );
}

/// RFC 9864 §2.2.
#[tokio::test]
async fn ed25519_is_eddsa_in_tokens_and_in_the_settings() {
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/ed25519.test");
    let private = std::fs::read(format!("{keys}-private.pem")).unwrap();
    let key = jsonwebtoken::EncodingKey::from_ed_pem(&private).unwrap();
    for set in ["EdDSA", "Ed25519"] {
        let toml = format!(
            "[[identity.keys]]\nkid = \"ed\"\nalgorithm = \"{set}\"\npublic_key_file = \"{keys}-public.pem\"\n"
        );
        let gateway = Setup::new().config(&toml).start().await;
        for (named, kid, status) in
            [("EdDSA", "ed", 200), ("Ed25519", "ed", 200), ("Ed448", "ed", 401), ("Ed25519", "other", 401)]
        {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(&json!({ "alg": named, "kid": kid })), part(&claims()));
            let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::EdDSA).unwrap();
            let answer = call(&gateway, TRANSCRIPTIONS, bearer(&format!("{signed}.{signature}")).as_deref()).await;
            assert_eq!(answer.status, status, "{set} {named} {kid}: {}", answer.text());
            // That there are keys of other algorithms is no matter of the one that it names.
            assert!(kid == "ed" || answer.text().contains("`kid`"), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case() {
    let gateway = Gateway::start().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = call(&gateway, TRANSCRIPTIONS, Some(&format!("{scheme} {}", token::good()))).await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let gateway = Gateway::with(&[("VOXGATE_IDENTITY__LEEWAY", "5m")]).await;
    for changes in [json!({ "exp": now() - 60 }), json!({ "nbf": now() + 60 })] {
        let answer = call(&gateway, TRANSCRIPTIONS, bearer(&token::with(&changes)).as_deref()).await;
        assert_eq!(answer.status, 200, "{changes}: {}", answer.text());
    }
}

#[tokio::test]
async fn audience_and_issuer_are_checked_where_they_are_set() {
    let settings =
        [("VOXGATE_IDENTITY__AUDIENCE", "voxgate,voice"), ("VOXGATE_IDENTITY__ISSUER", "https://login.example.com")];
    let gateway = Gateway::with(&settings).await;
    let issuer = "https://login.example.com";
    let cases: [(Value, u16); 7] = [
        (json!({ "aud": "voxgate", "iss": issuer }), 200),
        (json!({ "aud": ["other", "voice"], "iss": issuer }), 200),
        (json!({ "aud": "other", "iss": issuer }), 401),
        (json!({ "aud": [], "iss": issuer }), 401),
        (json!({ "iss": issuer }), 401),
        (json!({ "aud": "voxgate", "iss": "https://evil.example.com" }), 401),
        (json!({ "aud": "voxgate" }), 401),
    ];
    for (changes, status) in cases {
        let answer = call(&gateway, TRANSCRIPTIONS, bearer(&token::with(&changes)).as_deref()).await;
        assert_eq!(answer.status, status, "{changes}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_token_for_an_audience_is_good_where_none_is_set() {
    let gateway = Gateway::start().await;
    let token = token::with(&json!({ "aud": "anybody", "iss": "https://login.example.com" }));
    assert_eq!(call(&gateway, TRANSCRIPTIONS, bearer(&token).as_deref()).await.status, 200);
}

#[tokio::test]
async fn each_route_needs_its_scope() {
    let gateway = Gateway::start().await;
    let cases = [
        ("transcribe", TRANSCRIPTIONS, 200),
        ("transcribe", TRANSLATIONS, 403),
        ("translate", TRANSLATIONS, 200),
        ("translate", TRANSCRIPTIONS, 403),
        ("usage", TRANSCRIPTIONS, 403),
        ("", TRANSCRIPTIONS, 403),
        ("transcribed", TRANSCRIPTIONS, 403),
        ("openid profile transcribe", TRANSCRIPTIONS, 200),
    ];
    for (scope, path, status) in cases {
        let token = token::with(&json!({ "scope": scope }));
        let answer = call(&gateway, path, bearer(&token).as_deref()).await;
        assert_eq!(answer.status, status, "{scope:?} on {path}: {}", answer.text());
        if status == 403 {
            answer.is_error(403, "insufficient_scope", None);
            assert_eq!(answer.error()["type"], "permission_error");
        }
    }
}

#[tokio::test]
async fn a_key_is_replaced_without_a_gap() {
    let next = "the next secret of the tests, also long enough";
    let toml = format!("[[identity.keys]]\nkid = \"next\"\nalgorithm = \"HS256\"\nsecret = \"{next}\"\n");
    let gateway = crate::support::gateway::Setup::new().config(&toml).start().await;
    for token in [token::good(), signed(Algorithm::HS256, next, &claims())] {
        assert_eq!(call(&gateway, TRANSCRIPTIONS, bearer(&token).as_deref()).await.status, 200);
    }
}

#[tokio::test]
async fn the_log_says_who_called() {
    let gateway = Gateway::start().await;
    let token = token::with(&json!({ "sub": "bob@example.com" }));
    let answer = call(&gateway, TRANSCRIPTIONS, bearer(&token).as_deref()).await;
    assert_eq!(gateway.log.request(answer.request_id()).await["subject"], "bob@example.com");
}

#[tokio::test]
async fn the_claims_of_an_identity_provider_are_read_where_the_settings_say() {
    let config = r#"
[plans.pro]
[identity.claims]
subject = "email"
plan = "https://example.com/plan"
scope = "/realm_access/roles"
[identity.scope_words]
editor = "transcribe usage"
"#;
    let gateway = Setup::new().config(config).start().await;
    let token = token::with(&json!({
        "sub": "4711", "scope": null, "email": "alice@example.com", "https://example.com/plan": "pro",
        "realm_access": { "roles": ["offline_access", "editor"] },
    }));
    let usage = gateway.send(gateway.request(Method::GET, "/v1/usage").bearer_auth(&token)).await;
    let usage = (usage.status, usage.json());
    assert_eq!((usage.0, &usage.1["subject"], &usage.1["plan"]), (200, &json!("alice@example.com"), &json!("pro")));
    // Our own names mean nothing then.
    let ours = token::with(&json!({ "email": "alice@example.com" }));
    let refused = gateway.send(gateway.request(Method::GET, "/v1/usage").bearer_auth(ours)).await;
    refused.is_error(403, "insufficient_scope", None);
}
