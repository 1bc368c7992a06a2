//! A backend opens sessions for its pages: short-lived tokens for named end users, with no more than it may itself.

use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::scrape::Scrape;
use crate::support::sender::{Sender, send_half};
use crate::support::sessions::{self, backend};
use crate::support::stores::{durable_redis, wait_for_store, with_each_store_and_replica};
use crate::support::{audio, token};

const PLANS: &str = r#"
[plans.pro]
max_concurrent = 8
[plans.free]
max_concurrent = 2
monthly_usd = "1"
[plans.rich]
"#;

async fn get(gateway: &Gateway, token: &str, path: &str) -> Answer {
    gateway.send(gateway.request(Method::GET, path).bearer_auth(token)).await
}

#[tokio::test]
async fn a_page_transcribes_with_the_token_that_its_backend_got_for_it() {
    for (gateway, other, _redis) in with_each_store_and_replica(|| Setup::new().config(PLANS)).await {
        let wish = json!({ "subject": "carol", "ttl_seconds": 60, "scope": "transcribe usage", "plan": "free" });
        let answer = sessions::create(&gateway, &backend("shop", "pro"), &wish).await;
        assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")));
        let session = answer.json();
        let now = token::now();
        assert!((now + 55..=now + 61).contains(&session["expires_at"].as_u64().unwrap()), "{session}");
        let facts = [&session["subject"], &session["plan"], &session["scope"]];
        assert_eq!(facts, [&json!("carol"), &json!("free"), &json!("transcribe usage")]);
        let token = session["token"].as_str().unwrap();
        let second = other.as_ref().unwrap_or(&gateway);
        assert_eq!(Account::with(token).transcribe(second, 1000).await.status, 200);
        // It is hers, by her plan, and not the backend's.
        let usage = get(&gateway, token, "/v1/usage").await.json();
        assert_eq!((&usage["subject"], &usage["plan"]), (&json!("carol"), &json!("free")));
        assert_eq!(get(&gateway, &backend("shop", "pro"), "/v1/usage").await.json()["total"]["requests"], 0);
        let opened = gateway.log.event("a session was opened").await;
        assert_eq!((&opened["target"], &opened["by"]), (&json!("voxgate::audit"), &json!("shop")));
        assert_eq!((&opened["subject"], &opened["session"]), (&json!("carol"), &session["id"]));
        assert!(!gateway.log.text().contains(token), "a token is in no log");
    }
}

#[tokio::test]
async fn a_session_is_never_more_than_its_maker_may() {
    let gateway = Setup::new().config(PLANS).start().await;
    let shop = backend("shop", "pro");
    let bad = [
        (json!({}), 400, "missing_required_parameter", Some("subject")),
        (json!({ "subject": "" }), 400, "invalid_value", Some("subject")),
        (json!({ "subject": 5 }), 400, "invalid_value", Some("subject")),
        (json!({ "subject": "c", "ttl_seconds": 0 }), 400, "invalid_value", Some("ttl_seconds")),
        (json!({ "subject": "c", "ttl_seconds": 86_401 }), 400, "invalid_value", Some("ttl_seconds")),
        (json!({ "subject": "c", "ttl_seconds": 1.5 }), 400, "invalid_value", Some("ttl_seconds")),
        (json!({ "subject": "c", "scope": "translate" }), 403, "insufficient_scope", None),
        (json!({ "subject": "c", "scope": "sessions" }), 400, "invalid_value", Some("scope")),
        (json!({ "subject": "c", "scope": "transcribe everything" }), 400, "invalid_value", Some("scope")),
        (json!({ "subject": "c", "scope": "" }), 400, "invalid_value", Some("scope")),
        (json!({ "subject": "c", "plan": "rich" }), 403, "plan_not_allowed", None),
        (json!({ "subject": "c", "plan": "none" }), 400, "invalid_value", Some("plan")),
        (json!({ "subject": "c", "max_usd": "-1" }), 400, "invalid_value", Some("max_usd")),
        (json!({ "subject": "c", "max_usd": true }), 400, "invalid_value", Some("max_usd")),
        (json!({ "subject": "c", "max_audio_seconds": 0 }), 400, "invalid_value", Some("max_audio_seconds")),
        (json!({ "subject": "c", "ttl": 5 }), 400, "invalid_value", Some("ttl")),
        // No member is null, nor of another type than its own.
        (json!({ "subject": null }), 400, "invalid_value", Some("subject")),
        (json!({ "subject": "c", "max_usd": null }), 400, "invalid_value", Some("max_usd")),
        (json!({ "subject": "c", "max_audio_seconds": null }), 400, "invalid_value", Some("max_audio_seconds")),
        (json!({ "subject": "c", "ttl_seconds": null }), 400, "invalid_value", Some("ttl_seconds")),
        (json!({ "subject": "c", "scope": null }), 400, "invalid_value", Some("scope")),
        (json!({ "subject": "c", "plan": null }), 400, "invalid_value", Some("plan")),
        (json!({ "subject": "c", "plan": 5 }), 400, "invalid_value", Some("plan")),
        (json!({ "subject": "c", "plan": ["free"] }), 400, "invalid_value", Some("plan")),
        (json!(["c"]), 400, "invalid_json", None),
    ];
    for (wish, status, code, param) in bad {
        let answer = sessions::create(&gateway, &shop, &wish).await;
        assert_eq!(answer.status, status, "{wish}: {}", answer.text());
        answer.is_error(status, code, param);
    }
    // What is there twice could be read in two ways.
    for (twice, name) in [
        (r#"{"subject": "c", "max_usd": "0.10", "max_usd": "100"}"#, "max_usd"),
        (r#"{"subject": "c", "subject": "c"}"#, "subject"),
    ] {
        let request = gateway.request(Method::POST, "/v1/sessions").bearer_auth(&shop);
        let answer = gateway.send(request.header("content-type", "application/json").body(twice)).await;
        answer.is_error(400, "invalid_value", Some(name));
    }
    let without = token::with(&json!({ "scope": "transcribe translate usage" }));
    sessions::create(&gateway, &without, &json!({ "subject": "c" })).await.is_error(403, "insufficient_scope", None);
    // It ends with the token that it was made with, and makes no other.
    let brief = token::with(&json!({ "sub": "shop", "scope": "sessions transcribe", "exp": token::now() + 30 }));
    let answer = sessions::create(&gateway, &brief, &json!({ "subject": "c", "ttl_seconds": 3600 })).await;
    assert!(answer.json()["expires_at"].as_u64().unwrap() <= token::now() + 31, "{}", answer.text());
    let session = answer.json()["token"].as_str().unwrap().to_owned();
    sessions::create(&gateway, &session, &json!({ "subject": "d" })).await.is_error(403, "insufficient_scope", None);
    let large = gateway.request(Method::POST, "/v1/sessions").bearer_auth(&shop).body("x".repeat(20_000));
    gateway.send(large).await.is_error(400, "invalid_json", None);
}

#[tokio::test]
async fn a_session_uses_no_more_than_its_caps() {
    for (gateway, other, _redis) in with_each_store_and_replica(|| Setup::new().config(PLANS)).await {
        let shop = backend("shop", "pro");
        let second = other.as_ref().unwrap_or(&gateway);
        // Two and a half recordings of a second each.
        let usd = format!("0.{:09}", GPT_TRANSCRIBE * 5 / 2);
        for caps in [json!({ "max_usd": usd }), json!({ "max_audio_seconds": 2 })] {
            let mut wish = json!({ "subject": "carol" });
            wish.as_object_mut().unwrap().extend(caps.as_object().unwrap().clone());
            let (token, _) = sessions::open(&gateway, &shop, &wish).await;
            assert_eq!(Account::with(&token).transcribe(&gateway, 1000).await.status, 200);
            assert_eq!(Account::with(&token).transcribe(second, 1000).await.status, 200);
            let answer = Account::with(&token).transcribe(&gateway, 1000).await;
            answer.is_error(429, "insufficient_quota", None);
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            // Another session of hers is another.
            let (token, _) = sessions::open(&gateway, &shop, &wish).await;
            assert_eq!(Account::with(&token).transcribe(&gateway, 1000).await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_ended_is_refused_on_every_replica_and_no_longer_listed() {
    for (gateway, other, _redis) in with_each_store_and_replica(|| Setup::new().config(PLANS)).await {
        let (shop, mall) = (backend("shop", "pro"), backend("mall", "pro"));
        let second = other.as_ref().unwrap_or(&gateway);
        let (one, one_id) = sessions::open(&gateway, &shop, &json!({ "subject": "carol", "max_usd": 0.5 })).await;
        let (two, two_id) = sessions::open(second, &shop, &json!({ "subject": "dave", "max_audio_seconds": 60 })).await;
        let list = get(second, &shop, "/v1/sessions").await.json();
        let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|session| session["id"].clone()).collect();
        assert_eq!(ids, [json!(one_id), json!(two_id)], "{list}");
        assert_eq!((&list["data"][0]["max_usd"], &list["data"][1]["max_audio_seconds"]), (&json!("0.50"), &json!(60)));
        assert!(list["data"][0].get("token").is_none(), "a token is shown once");
        assert_eq!(get(&gateway, &mall, "/v1/sessions").await.json()["data"], json!([]));
        let end = async |token: &str, id: &str| {
            let request = gateway.request(Method::DELETE, &format!("/v1/sessions/{id}")).bearer_auth(token);
            gateway.send(request).await
        };
        end(&mall, &one_id).await.is_error(404, "session_not_found", None);
        assert_eq!(Account::with(&one).transcribe(second, 300).await.status, 200);
        assert_eq!(end(&shop, &one_id).await.status, 204);
        Account::with(&one).transcribe(second, 300).await.is_error(401, "invalid_token", None);
        Account::with(&one).transcribe(&gateway, 300).await.is_error(401, "invalid_token", None);
        assert_eq!(Account::with(&two).transcribe(&gateway, 300).await.status, 200);
        end(&shop, &one_id).await.is_error(404, "session_not_found", None);
        let left = get(&gateway, &shop, "/v1/sessions").await.json();
        assert_eq!(left["data"].as_array().unwrap().len(), 1);
        gateway.log.event("a session was revoked").await;
    }
}

#[tokio::test]
async fn a_session_charges_its_subject_and_its_caps() {
    let gateway = Setup::new().config(PLANS).start().await;
    let (token, _) =
        sessions::open(&gateway, &backend("shop", "pro"), &json!({ "subject": "carol", "max_audio_seconds": 10 }))
            .await;
    // The provider refuses it, so nothing is used.
    gateway.provider.answer(crate::support::provider::Reply::error(400));
    assert_eq!(Account::with(&token).transcribe(&gateway, 9000).await.status, 400);
    let carol = token::with(&json!({ "sub": "carol", "plan": "pro" }));
    loop {
        let usage = get(&gateway, &carol, "/v1/usage").await.json();
        if usage["open"]["requests"] == 0 {
            assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 0);
            break;
        }
    }
    assert_eq!(Account::with(&token).transcribe(&gateway, 9000).await.status, 200);
    Account::with(&token).transcribe(&gateway, 2000).await.is_error(429, "insufficient_quota", None);
}

#[tokio::test]
async fn without_a_secret_to_sign_with_there_are_no_sessions() {
    let secret = "another-secret-that-only-the-issuer-and-the-gateway-have";
    let config = format!("[[identity.keys]]\nalgorithm = \"HS256\"\nsecret = \"{secret}\"\n");
    let gateway = Setup::new().without("VOXGATE_JWT_SECRET").config(&config).start().await;
    let claims = token::claims_with(&json!({ "scope": "sessions transcribe" }));
    let token = token::signed(jsonwebtoken::Algorithm::HS256, secret, &claims);
    sessions::create(&gateway, &token, &json!({ "subject": "c" })).await.is_error(501, "sessions_unavailable", None);
}

#[tokio::test]
async fn a_small_amount_may_be_a_number() {
    let gateway = Setup::new().config(PLANS).start().await;
    for (number, shown) in
        [(json!(0.000_000_5), "0.0000005"), (json!(0.1), "0.10"), (json!(2), "2.00"), (json!(1e3), "1000.00")]
    {
        let answer =
            sessions::create(&gateway, &backend("shop", "pro"), &json!({ "subject": "carol", "max_usd": number }))
                .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.json()["max_usd"], shown);
    }
}

#[tokio::test]
async fn a_token_with_caps_makes_none_without_them() {
    let gateway = Setup::new().config(PLANS).start().await;
    let claims = json!({ "scope": "sessions transcribe", "jti": "capped", "voxgate_caps": { "usd": "0.10" } });
    let answer = sessions::create(&gateway, &token::with(&claims), &json!({ "subject": "carol" })).await;
    answer.is_error(403, "insufficient_scope", None);
}

#[tokio::test]
async fn what_is_used_without_redis_comes_off_the_caps_when_it_is_back() {
    let mut server = durable_redis();
    let gateway = Setup::new().config(PLANS).env("REDIS_URL", &server.url()).start().await;
    let wish = json!({ "subject": "carol", "max_audio_seconds": 2 });
    let (token, _) = sessions::open(&gateway, &backend("shop", "pro"), &wish).await;
    server.kill();
    for _ in 0..2 {
        assert_eq!(Account::with(&token).transcribe(&gateway, 1000).await.status, 200);
    }
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    let carol = Account::of("carol", "pro");
    carol.usage_when(&gateway, |usage| usage["total"]["requests"] == 2 && usage["open"]["requests"] == 0).await;
    Account::with(&token).transcribe(&gateway, 1000).await.is_error(429, "insufficient_quota", None);
}

#[tokio::test]
async fn a_recording_that_claims_too_much_keeps_no_other_out_of_its_session() {
    let gateway = Setup::new().config(PLANS).start().await;
    // Its header does not say how long it is, so all that is known is the bound for so many bytes.
    let audio = audio::flac(40, 0);
    let half_sent = async |account: &Account| {
        let mut sender = Sender::form(&gateway, account, Form::model_then_file(&audio)).await;
        let sent = gateway.provider.uploads().len();
        send_half(&gateway, &mut sender, &audio, sent).await;
        sender
    };
    // What it could be, by what has arrived of it, is more than it is.
    let alice = Account::of("alice", "pro");
    let mut sender = half_sent(&alice).await;
    let open_now = alice.usage_when(&gateway, |usage| usage["open"]["requests"] == 1).await;
    let claimed = open_now["open"]["audio_ms"].as_u64().unwrap() / 1000;
    sender.finish().await.is_served(1);
    assert!(claimed > 10 + 4, "{claimed}");
    let wish = json!({ "subject": "carol", "max_audio_seconds": claimed + 1 });
    let (token, _) = sessions::open(&gateway, &backend("shop", "pro"), &wish).await;
    let carol = Account::with(&token);
    let mut sender = Sender::form(&gateway, &carol, Form::model_then_file(&audio)).await;
    sender.up_to(audio.len() / 2).await;
    let half = u64::try_from(audio.len() / 2).unwrap();
    Scrape::when(&gateway, |scrape| scrape.count("voxgate_spool_bytes", &[]) > half * 9 / 10).await;
    assert_eq!(Account::with(&token).transcribe(&gateway, 4000).await.status, 200);
    sender.finish().await.is_served(1);
}

#[tokio::test]
async fn a_wish_that_does_not_arrive_is_not_waited_for() {
    let gateway = Setup::new().config(PLANS).env("VOXGATE_SERVER__HEADER_TIMEOUT", "300ms").start().await;
    let mut wire = gateway.wire().await;
    let token = backend("web", "pro");
    wire.send(format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"subject\":"
    ))
    .await;
    let head = wire.head().await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(wire.until("}}").await.contains("\"code\":\"request_timeout\""));
}
