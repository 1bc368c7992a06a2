//! Each limit of a plan, as a client meets it, with either store behind it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Gate, Reply, answer};
use crate::support::redis_proxy::RedisProxy;
use crate::support::redis_server::Server;
use crate::support::stores::with_each_store;

const PLANS: &str = r#"
[plans.brisk]
requests_per_minute = 120
burst = 3
[plans.slow]
requests_per_minute = 1
burst = 2
[plans.talk]
audio_seconds_per_minute = 60
audio_burst_seconds = 3
[plans.whisper]
audio_seconds_per_minute = 1
audio_burst_seconds = 3
[plans.both]
requests_per_minute = 1
burst = 2
max_concurrent = 1
[plans.narrow]
max_concurrent = 2
[plans.poor]
monthly_usd = "0.00018"     # three recordings of 0.8 s at 0.0045 a minute
[plans.quiet]
monthly_audio_minutes = 1
[plans.free]
models = ["*"]
monthly_usd = "1"
[plans.wide]
models = ["*"]
[models.free-model]
usd_per_minute = "0"
"#;

/// Has requests sent until one that nobody's come after is refused: what comes back with time is used up by many at once, so
/// that a busy machine gets there too.
async fn refused(account: &Account, gateway: &Gateway, ms: usize) -> Answer {
    for _ in 0..20 {
        join_all((0..8).map(|_| account.transcribe(gateway, ms))).await;
        let answer = account.transcribe(gateway, ms).await;
        if answer.status != 200 {
            answer.is_error(429, "rate_limit_exceeded", None);
            return answer;
        }
    }
    panic!("{} is never refused", account.subject);
}

fn rates(answer: &Answer) -> (Option<&str>, Option<&str>, Option<&str>) {
    let header = |name| answer.header(&format!("x-ratelimit-{name}-requests"));
    (header("limit"), header("remaining"), header("reset"))
}

#[tokio::test]
async fn a_burst_is_admitted_and_then_the_rate_holds() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "brisk");
        let mut remaining = Vec::new();
        for _ in 0..3 {
            let answer = alice.transcribe(&gateway, 300).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(rates(&answer).0, Some("120"));
            remaining.push(rates(&answer).1.unwrap().to_owned());
            assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=120;w=60"));
            assert!(answer.header("ratelimit").unwrap().starts_with("\"requests\";r="));
        }
        assert_eq!(remaining.first().map(String::as_str), Some("2"));
        let refused = refused(&alice, &gateway, 300).await;
        assert_eq!(refused.error()["type"], "rate_limit_error");
        assert_eq!((rates(&refused).0, rates(&refused).1), (Some("120"), Some("0")));
        assert_eq!(refused.header("retry-after"), Some("1"));
        let wait = refused.retry_after_ms();
        assert!((1..=500).contains(&wait), "{wait}");
        assert!(refused.error()["message"].as_str().unwrap().contains("120"), "{}", refused.text());
        // Told to wait, a client that does gets in.
        refused.wait_as_told().await;
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        // Nobody else is kept out, and a plan without a rate says nothing of one.
        let bob = Account::of("bob", "default").transcribe(&gateway, 300).await;
        assert_eq!((bob.status, rates(&bob), bob.header("ratelimit")), (200, (None, None, None), None));
    }
}

#[tokio::test]
async fn a_caller_over_their_rate_is_refused_before_they_send_a_body() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "slow");
        let asked = gateway.provider.requests();
        while alice.transcribe(&gateway, 300).await.status == 200 {}
        let mut wire = gateway.wire().await;
        let head = format!(
            "POST {TRANSCRIPTIONS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: audio/wav\r\n\
             content-length: 10000\r\nexpect: 100-continue\r\n\r\n",
            alice.token()
        );
        wire.send(&head).await;
        let said = wire.head().await;
        assert!(said.starts_with("HTTP/1.1 429"), "{said}");
        assert!(said.contains("x-ratelimit-limit-requests: 1\r\n") && said.contains("retry-after: "), "{said}");
        assert_eq!(gateway.provider.requests(), asked + 2);
    }
}

#[tokio::test]
async fn audio_is_limited_by_its_measured_length() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "whisper");
        assert_eq!(alice.transcribe(&gateway, 2500).await.status, 200);
        let late = alice.transcribe(&gateway, 2500).await;
        late.is_error(429, "rate_limit_exceeded", None);
        // Two seconds at one a minute.
        let wait = late.retry_after_ms();
        assert!((1..=120_000).contains(&wait), "{wait}");
        // A short one still fits.
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        let policy = late.header("ratelimit-policy");
        assert_eq!(policy, Some("\"audio\";q=1;w=60;qu=\"seconds\""));
        // One that is longer than ever is let in at once gets in never, and is told so.
        alice.transcribe(&gateway, 3500).await.is_error(400, "audio_too_long", Some("file"));
        // Told to wait, a client that does gets in.
        let bob = Account::of("bob", "talk");
        let refused = refused(&bob, &gateway, 2500).await;
        let wait = refused.retry_after_ms();
        assert!((1..=2500).contains(&wait), "{wait}");
        refused.wait_as_told().await;
        assert_eq!(bob.transcribe(&gateway, 2500).await.status, 200);
    }
}

#[tokio::test]
async fn requests_in_flight_are_limited_and_room_is_made_as_they_end() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "narrow");
        let gate = Gate::closed();
        let (content_type, body) = answer("json");
        for _ in 0..2 {
            gateway.provider.answer(Reply::whole(200, content_type, body.clone()).held_by(&gate));
        }
        let asked = gateway.provider.requests();
        let in_flight = async { join_all([alice.transcribe(&gateway, 300), alice.transcribe(&gateway, 300)]).await };
        let meanwhile = async {
            gateway.provider.asked(asked + 2).await;
            let refused = alice.transcribe(&gateway, 300).await;
            refused.is_error(429, "concurrency_limit_exceeded", None);
            assert_eq!(refused.header("retry-after"), None, "nobody knows when one ends");
            assert_eq!(alice.usage(&gateway).await["open"]["requests"], 2);
            gate.open();
            gate.open();
        };
        let (answers, ()) = tokio::join!(in_flight, meanwhile);
        assert!(answers.iter().all(|answer| answer.status == 200));
        alice.settled(&gateway).await;
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
    }
}

#[tokio::test]
async fn a_request_that_one_limit_refuses_takes_nothing_from_the_others() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "both");
        let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
        gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
        let asked = gateway.provider.requests();
        let meanwhile = async {
            gateway.provider.asked(asked + 1).await;
            for _ in 0..5 {
                alice.transcribe(&gateway, 300).await.is_error(429, "concurrency_limit_exceeded", None);
            }
            gate.open();
        };
        assert_eq!(tokio::join!(alice.transcribe(&gateway, 300), meanwhile).0.status, 200);
        alice.settled(&gateway).await;
        // Of a burst of two, the second is still there.
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        alice.transcribe(&gateway, 300).await.is_error(429, "rate_limit_exceeded", None);
    }
}

#[tokio::test]
async fn a_budget_admits_exactly_what_it_pays_for() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "poor");
        // A recording of 10 s costs 0.00075, more than there is; one of 2.4 s is what there is.
        let refused = alice.transcribe(&gateway, 10_000).await;
        refused.is_error(429, "insufficient_quota", None);
        assert_eq!(refused.error()["type"], "insufficient_quota");
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        let message = refused.error()["message"].as_str().unwrap().to_owned();
        for part in ["0.00018", "0.00075"] {
            assert!(message.contains(part), "{message}");
        }
        let together = join_all((0..20).map(|_| alice.transcribe(&gateway, 800))).await;
        let (in_time, late): (Vec<_>, Vec<_>) = together.iter().partition(|answer| answer.status == 200);
        assert_eq!(in_time.len(), 3);
        assert!(late.iter().all(|answer| answer.status == 429));
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"], json!({ "requests": 3, "audio_ms": 2400, "spent_usd": "0.00018" }));
        assert_eq!(usage["left"]["monthly_usd"], "0.00");
        assert_eq!(gateway.provider.requests(), 3);
    }
}

#[tokio::test]
async fn audio_a_month_is_limited_too_and_a_refused_request_takes_nothing() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let alice = Account::of("alice", "quiet");
        assert_eq!(alice.transcribe(&gateway, 40_000).await.status, 200);
        let refused = alice.transcribe(&gateway, 20_001).await;
        refused.is_error(429, "insufficient_quota", None);
        assert!(refused.text().contains("20.000"), "{}", refused.text());
        assert_eq!(alice.transcribe(&gateway, 20_000).await.status, 200);
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"]["audio_ms"], 60_000);
        assert_eq!(usage["total"]["requests"], 2);
    }
}

#[tokio::test]
async fn a_budget_refuses_a_model_without_a_price() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(PLANS)).await {
        let (alice, wide) = (Account::of("alice", "free"), Account::of("alice", "wide"));
        let form = |model: &str| Form::new().field("model", model).file(&audio::wav(1000));
        let refused = alice.send(&gateway, form("a-model-of-tomorrow")).await;
        refused.is_error(403, "model_not_priced", Some("model"));
        assert_eq!(alice.send(&gateway, form("free-model")).await.status, 200);
        let usage = alice.settled(&gateway).await;
        assert_eq!(usage["total"], json!({ "requests": 1, "audio_ms": 1000, "spent_usd": "0.00" }));
        // Without a budget of money nobody asks what it costs, and names that are made up are counted as one.
        for at in 0..3 {
            assert_eq!(wide.send(&gateway, form(&format!("model-{at}"))).await.status, 200);
        }
        let usage =
            wide.usage_when(&gateway, |usage| usage["total"]["requests"] == 4 && usage["open"]["requests"] == 0);
        let models = usage.await["by_model"].clone();
        assert_eq!((&models[0]["model"], &models[0]["requests"]), (&json!("*"), &json!(3)), "{models}");
        assert_eq!(models.as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn two_gateways_on_one_redis_hold_one_limit() {
    let server = Server::start();
    let proxy = RedisProxy::to(&server).await;
    let setup = |url: &str| Setup::new().config(PLANS).env("REDIS_URL", url);
    let (one, other) = (setup(&server.url()).start().await, setup(&proxy.url()).start().await);
    let alice = Account::of("alice", "poor");
    let answers = join_all((0..20).map(|i| alice.transcribe(if i % 2 == 0 { &one } else { &other }, 800))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
    // What one refuses for a while, the other refuses as long.
    let bob = Account::of("bob", "brisk");
    let started = Instant::now();
    let mut admitted = 0;
    while started.elapsed() < Duration::from_secs(2) {
        for gateway in [&one, &other] {
            admitted += u32::from(bob.transcribe(gateway, 300).await.status == 200);
        }
    }
    let elapsed = started.elapsed().as_millis();
    assert!(u128::from(admitted) <= 3 + elapsed / 500, "{admitted} in {elapsed} ms");
    // The second has learnt that the rate is used up: it refuses without asking Redis.
    let carol = Account::of("carol", "slow");
    for _ in 0..2 {
        assert_eq!(carol.transcribe(&one, 300).await.status, 200);
    }
    carol.settled(&one).await;
    carol.transcribe(&other, 300).await.is_error(429, "rate_limit_exceeded", None);
    let asked = proxy.questions_about("carol");
    assert!(asked > 0);
    for _ in 0..100 {
        carol.transcribe(&other, 300).await.is_error(429, "rate_limit_exceeded", None);
    }
    assert_eq!(proxy.questions_about("carol"), asked);
}
