//! How many sessions a backend may open, and how often it may list them.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::sessions::{self, backend};
use crate::support::stores::{durable_redis, wait_for_store, with_each_store_and_replica};
use crate::support::token;

const SETTINGS: &str = "
[plans.slow]
requests_per_minute = 1
burst = 3
[plans.wide]
[sessions]
max_open = 3
";

async fn list(gateway: &Gateway, token: &str) -> Answer {
    gateway.send(gateway.request(Method::GET, "/v1/sessions").bearer_auth(token)).await
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn is_over_the_rate(answer: &Answer) {
    answer.is_error(429, "rate_limit_exceeded", None);
    assert_eq!(answer.error()["type"], "rate_limit_error");
    let header = |name| answer.header(name).unwrap_or_else(|| panic!("no {name}"));
    let (seconds, ms): (u64, u64) = (header("retry-after").parse().unwrap(), header("retry-after-ms").parse().unwrap());
    assert!((1..=60).contains(&seconds) && ms <= 60_000, "{seconds} s, {ms} ms");
    assert_eq!((header("x-ratelimit-limit-requests"), header("x-ratelimit-remaining-requests")), ("1", "0"));
}

#[tokio::test]
async fn a_backend_opens_no_more_sessions_a_minute_than_its_plan_allows_requests() {
    for (gateway, other, _redis) in with_each_store_and_replica(|| Setup::new().config(SETTINGS)).await {
        let second = other.as_ref().unwrap_or(&gateway);
        let (shop, wish) = (backend("shop", "slow"), json!({ "subject": "carol" }));
        let first = sessions::create(&gateway, &shop, &wish).await;
        assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("2"));
        let one = id(&first);
        id(&sessions::create(second, &shop, &wish).await);
        // What is refused for something else takes nothing.
        sessions::create(&gateway, &shop, &json!({ "subject": 5 })).await.is_error(
            400,
            "invalid_value",
            Some("subject"),
        );
        // A recording of the backend's own is a request like any other.
        assert_eq!(Account::with(&shop).transcribe(&gateway, 300).await.status, 200);
        for gateway in [&gateway, second] {
            is_over_the_rate(&sessions::create(gateway, &shop, &wish).await);
            Account::with(&shop).transcribe(gateway, 300).await.is_error(429, "rate_limit_exceeded", None);
        }
        // It is refused before its body is looked at, and nothing was written.
        is_over_the_rate(&sessions::create(&gateway, &shop, &json!({ "subject": 5 })).await);
        assert_eq!(list(&gateway, &shop).await.json()["data"].as_array().unwrap().len(), 2);
        // A session that got into wrong hands can be ended all the same, and others have rates of their own.
        assert_eq!(sessions::end(second, &shop, &one).await.status, 204);
        id(&sessions::create(&gateway, &backend("mall", "slow"), &wish).await);
    }
}

#[tokio::test]
async fn sessions_that_are_opened_at_once_pass_no_bound() {
    for (gateway, other, _redis) in with_each_store_and_replica(|| Setup::new().config(SETTINGS)).await {
        let second = other.as_ref().unwrap_or(&gateway);
        for (plan, code) in [("slow", "rate_limit_exceeded"), ("wide", "session_limit_exceeded")] {
            let (shop, wish) = (backend(&format!("shop of the plan {plan}"), plan), json!({ "subject": "carol" }));
            let asked = (0..12).map(|at| sessions::create(if at % 2 == 0 { &gateway } else { second }, &shop, &wish));
            let answers = join_all(asked).await;
            let (opened, refused): (Vec<&Answer>, Vec<&Answer>) =
                answers.iter().partition(|answer| answer.status == 201);
            assert_eq!(opened.len(), 3, "{plan}");
            for answer in refused {
                answer.is_error(429, code, None);
            }
            assert_eq!(list(second, &shop).await.json()["data"].as_array().unwrap().len(), 3);
        }
    }
}

#[tokio::test]
async fn open_sessions_are_bounded_and_an_ended_one_makes_room() {
    for (gateway, other, _redis) in with_each_store_and_replica(|| Setup::new().config(SETTINGS)).await {
        let second = other.as_ref().unwrap_or(&gateway);
        let (shop, wish) = (backend("shop", "wide"), json!({ "subject": "carol" }));
        let ids =
            [id(&sessions::create(&gateway, &shop, &wish).await), id(&sessions::create(second, &shop, &wish).await)];
        id(&sessions::create(&gateway, &shop, &json!({ "subject": "dave" })).await);
        for gateway in [&gateway, second] {
            let answer = sessions::create(gateway, &shop, &json!({ "subject": "erin" })).await;
            answer.is_error(429, "session_limit_exceeded", None);
            assert_eq!(answer.error()["type"], "rate_limit_error");
        }
        id(&sessions::create(&gateway, &backend("mall", "wide"), &wish).await);
        for id in &ids {
            assert_eq!(sessions::end(&gateway, &shop, id).await.status, 204);
            // Ended twice, it makes no room twice.
            sessions::end(second, &shop, id).await.is_error(404, "session_not_found", None);
        }
        for _ in 0..2 {
            id(&sessions::create(second, &shop, &wish).await);
        }
        sessions::create(&gateway, &shop, &wish).await.is_error(429, "session_limit_exceeded", None);
    }
}

#[tokio::test]
async fn what_the_tokens_of_one_maker_open_counts_as_the_makers() {
    for (gateway, _, _redis) in with_each_store_and_replica(|| Setup::new().config(SETTINGS)).await {
        let page = |name: &str, plan: &str| {
            let claims = json!({ "sub": name, "plan": plan, "scope": "sessions transcribe", "voxgate_maker": "shop" });
            token::with(&claims)
        };
        for at in 0..3 {
            id(&sessions::create(&gateway, &page(&format!("page-{at}"), "wide"), &json!({ "subject": "carol" })).await);
        }
        let wish = json!({ "subject": "carol" });
        sessions::create(&gateway, &page("page-4", "wide"), &wish).await.is_error(429, "session_limit_exceeded", None);
        sessions::create(&gateway, &backend("shop", "wide"), &wish).await.is_error(429, "session_limit_exceeded", None);
        assert_eq!(list(&gateway, &backend("shop", "wide")).await.json()["data"].as_array().unwrap().len(), 3);
        // Nor does a rate begin anew with each.
        for at in 0..3 {
            list(&gateway, &page(&format!("reader-{at}"), "slow")).await;
        }
        is_over_the_rate(&list(&gateway, &page("reader-4", "slow")).await);
    }
}

#[tokio::test]
async fn listing_sessions_has_a_rate_of_its_own() {
    for (gateway, _, _redis) in with_each_store_and_replica(|| Setup::new().config(SETTINGS)).await {
        let shop = backend("shop", "slow");
        for _ in 0..3 {
            assert_eq!(list(&gateway, &shop).await.status, 200);
        }
        is_over_the_rate(&list(&gateway, &shop).await);
        id(&sessions::create(&gateway, &shop, &json!({ "subject": "carol" })).await);
        assert_eq!(list(&gateway, &backend("mall", "slow")).await.status, 200);
        // Without a rate there is no end to it.
        for _ in 0..10 {
            assert_eq!(list(&gateway, &backend("shop", "wide")).await.status, 200);
        }
    }
}

#[tokio::test]
async fn without_redis_no_session_is_opened_and_no_request_counted() {
    for on_failure in ["local", "deny"] {
        let mut server = durable_redis();
        let settings = Setup::new().config(SETTINGS).env("REDIS_URL", &server.url());
        let gateway = settings.env("VOXGATE_ON_STORE_FAILURE", on_failure).start().await;
        let (shop, wish) = (backend("shop", "slow"), json!({ "subject": "carol" }));
        let one = id(&sessions::create(&gateway, &shop, &wish).await);
        server.kill();
        for _ in 0..5 {
            sessions::create(&gateway, &shop, &wish).await.is_error(503, "store_unavailable", None);
        }
        list(&gateway, &shop).await.is_error(503, "store_unavailable", None);
        sessions::end(&gateway, &shop, &one).await.is_error(503, "store_unavailable", None);
        wait_for_store(&gateway, "away").await;
        sessions::create(&gateway, &shop, &wish).await.is_error(503, "store_unavailable", None);
        server.start_again();
        wait_for_store(&gateway, "ready").await;
        for _ in 0..2 {
            id(&sessions::create(&gateway, &shop, &wish).await);
        }
        is_over_the_rate(&sessions::create(&gateway, &shop, &wish).await);
        assert_eq!(list(&gateway, &shop).await.json()["data"].as_array().unwrap().len(), 3);
    }
}
