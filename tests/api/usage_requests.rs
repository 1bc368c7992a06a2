//! `GET /v1/usage/requests/{request_id}`: what one request took and cost.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply};
use crate::support::stores::with_each_store;
use crate::support::talk::Talk;
use crate::support::usage_command::json_usage;
use crate::support::{audio, token};

async fn read(gateway: &Gateway, account: &Account, id: &str) -> Answer {
    let request = gateway.request(Method::GET, &format!("/v1/usage/requests/{id}")).bearer_auth(account.token());
    gateway.send(request).await
}

/// What is said of a request once it is settled, without its id and its time.
async fn settled(gateway: &Gateway, account: &Account, id: &str) -> Value {
    let mut body = until("the request is settled", async || {
        let answer = read(gateway, account, id).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text());
        let body = answer.json();
        if body["status"] == "settled" { Ok(body) } else { Err(body) }
    })
    .await;
    let members = body.as_object_mut().unwrap();
    assert_eq!(members.remove("request_id"), Some(json!(id)));
    assert!(members.remove("created_at").unwrap().as_u64().unwrap() > 1_700_000_000);
    assert_eq!(
        (members.remove("object"), members.remove("status")),
        (Some(json!("usage.request")), Some(json!("settled")))
    );
    body
}

#[tokio::test]
async fn a_request_is_told_with_its_cost_whole_or_streamed() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let alice = Account::of("alice", "default");
        for stream in ["false", "true"] {
            let form = Form::new().fields(&[("model", "gpt-4o-transcribe"), ("stream", stream)]);
            let answer = alice.send(&gateway, form.file(&audio::wav(4000))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let expected = json!({
                "model": "gpt-4o-transcribe",
                "provider": "openai",
                "attempts": 1,
                "pieces": null,
                "audio_ms": 4000,
                "usage": { "type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59 },
                "estimate": { "usd": "0.0004", "audio_ms": 4000 },
                "cost": { "usd": "0.000485", "audio_ms": 4000 },
                "ending": "answered",
            });
            assert_eq!(settled(&gateway, &alice, answer.request_id()).await, expected, "stream={stream}");
        }
        // A report of seconds, and none.
        for (format, usage) in [("verbose_json", json!({ "type": "duration", "seconds": 2 })), ("srt", Value::Null)] {
            let form = Form::new().fields(&[("model", "whisper-1"), ("response_format", format)]);
            let answer = alice.send(&gateway, form.file(&audio::wav(3000))).await;
            assert_eq!(settled(&gateway, &alice, answer.request_id()).await["usage"], usage, "{format}");
        }
    }
}

#[tokio::test]
async fn attempts_are_those_of_every_piece_and_of_failures() {
    let toml = "[models.gpt-4o-transcribe]\nmax_seconds = 20\n";
    for (gateway, _redis) in with_each_store(|| Setup::new().config(toml).short_backoff()).await {
        let alice = Account::of("alice", "default");
        gateway.provider.answer(Reply::whole(503, "text/plain", "busy"));
        let talk = Talk::default().says(1).pause(5_000).says(3).pause(5_000).says(2);
        let answer = alice.send(&gateway, Form::new().field("model", "gpt-4o-transcribe").file(&talk.wav())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = settled(&gateway, &alice, answer.request_id()).await;
        assert_eq!((&told["pieces"], &told["attempts"]), (&json!(3), &json!(4)), "{told}");
        let record = &json_usage(&gateway, &["--records"])["records"][0];
        assert_eq!((&record["pieces"], &record["attempts"]), (&json!(3), &json!(4)), "{record}");

        gateway.provider.answer(Reply::whole(400, "application/json", r#"{"error":{"message":"no"}}"#));
        let refused = alice.transcribe(&gateway, 1000).await;
        let told = settled(&gateway, &alice, refused.request_id()).await;
        let ending = [&told["ending"], &told["attempts"], &told["cost"]["usd"]];
        assert_eq!(ending, [&json!("refunded"), &json!(1), &json!("0.00")], "{told}");
    }
}

#[tokio::test]
async fn a_request_is_open_while_the_provider_works() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let (alice, gate) = (Account::of("alice", "default"), Gate::closed());
        gateway.provider.answer(Reply::stream().held_by(&gate));
        let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(alice.token());
        let sent = tokio::spawn(Form::new().file(&audio::wav(4000)).on(request).send());
        gateway.provider.asked(1).await;
        // The client does not know the id before its answer; the operator does.
        let id = until("the request is recorded", async || {
            let records = json_usage(&gateway, &["--records"]);
            records["records"][0]["request_id"].as_str().map(str::to_owned).ok_or(records)
        })
        .await;
        let told = read(&gateway, &alice, &id).await.json();
        let state = [&told["status"], &told["ending"], &told["attempts"], &told["usage"]];
        assert_eq!(state, [&json!("open"), &json!("open"), &Value::Null, &Value::Null], "{told}");
        assert_eq!((&told["estimate"], &told["estimate"]["usd"]), (&told["cost"], &json!("0.0003")), "{told}");
        sent.abort();
    }
}

#[tokio::test]
async fn a_request_is_its_callers_own_and_needs_the_scope() {
    let toml = "[plans.poor]\nmonthly_usd = \"0\"\n";
    for (gateway, _redis) in with_each_store(|| Setup::new().config(toml)).await {
        let (alice, bob) = (Account::of("alice", "default"), Account::of("bob", "default"));
        let id = alice.transcribe(&gateway, 1000).await.request_id().to_owned();
        settled(&gateway, &alice, &id).await;
        let not_found = |answer: &Answer| answer.is_error(404, "request_not_found", None);
        not_found(&read(&gateway, &bob, &id).await);
        for other in ["no-such-request", "%00", "%2F", &format!("{id}x"), &id[1..], &"x".repeat(3000)] {
            not_found(&read(&gateway, &alice, other).await);
        }
        let poor = Account::of("alice", "poor");
        let refused = poor.transcribe(&gateway, 1000).await;
        refused.is_error(429, "insufficient_quota", None);
        not_found(&read(&gateway, &poor, refused.request_id()).await);

        let narrow = Account::with(&token::with(&json!({ "sub": "alice", "scope": "transcribe" })));
        read(&gateway, &narrow, &id).await.is_error(403, "insufficient_scope", None);
        let path = format!("/v1/usage/requests/{id}");
        gateway.send(gateway.request(Method::GET, &path)).await.is_error(401, "invalid_token", None);
        gateway.send(gateway.post(&path)).await.is_error(405, "method_not_allowed", None);
        let line = gateway.log.request(read(&gateway, &alice, &id).await.request_id()).await;
        assert_eq!(line["route"], "/v1/usage/requests/{request_id}", "{line}");
    }
}
