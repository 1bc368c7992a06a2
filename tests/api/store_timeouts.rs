//! Whoever is refused is not charged and holds nothing, also where the store answers too late, or does late what nobody waits
//! for any more.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::Reply;
use crate::support::redis_proxy::RedisProxy;
use crate::support::stores::{durable_redis, wait_for_store};

const PLANS: &str = r#"
[plans.tight]
max_concurrent = 1
monthly_usd = "0.0001"      # one recording of a second
"#;

#[tokio::test]
async fn a_request_refused_while_redis_is_late_costs_nothing() {
    let server = durable_redis();
    let proxy = RedisProxy::to(&server).await;
    let setup = Setup::new().config(PLANS).env("REDIS_URL", &proxy.url()).env("VOXGATE_REDIS__TIMEOUT", "2s");
    let gateway = setup.single_attempt().start().await;
    let tight = Account::of("tight", "tight");
    // The gateway hears that the budget is used up, and not that it was given back.
    gateway.provider.answer(Reply::whole(
        400,
        "application/json",
        r#"{"error":{"message":"No.","type":"x","param":null,"code":null}}"#,
    ));
    assert_eq!(tight.transcribe(&gateway, 1000).await.status, 400);
    tight.settled(&gateway).await;
    for _ in 0..3 {
        proxy.hold_answers();
        // Redis lets it in; the gateway does not hear of it and goes by what it knows.
        tight.transcribe(&gateway, 1000).await.is_error(429, "insufficient_quota", None);
        proxy.release_answers();
        wait_for_store(&gateway, "ready").await;
        let usage = tight.usage_when(&gateway, |usage| usage["open"]["requests"] == 0).await;
        assert_eq!((&usage["total"]["audio_ms"], &usage["total"]["requests"]), (&0.into(), &1.into()));
    }
    assert_eq!(gateway.provider.requests(), 1);
    assert_eq!(tight.transcribe(&gateway, 1000).await.status, 200, "its place and its budget are free");
    assert_eq!(tight.settled(&gateway).await["total"]["audio_ms"], 1000);
}

#[tokio::test]
async fn a_request_that_is_denied_while_redis_answers_late_is_charged_nothing() {
    let server = durable_redis();
    let proxy = RedisProxy::to(&server).await;
    let setup = Setup::new().config(PLANS).env("REDIS_URL", &proxy.url()).env("VOXGATE_REDIS__TIMEOUT", "2s");
    let gateway = setup.env("VOXGATE_ON_STORE_FAILURE", "deny").start().await;
    let tight = Account::of("tight", "tight");
    wait_for_store(&gateway, "ready").await;
    for _ in 0..3 {
        proxy.hold_answers();
        tight.transcribe(&gateway, 1000).await.is_error(503, "store_unavailable", None);
        proxy.release_answers();
        wait_for_store(&gateway, "ready").await;
        tight.usage_when(&gateway, |usage| usage["total"]["requests"] == 0).await;
    }
    assert_eq!(tight.transcribe(&gateway, 1000).await.status, 200);
    assert_eq!(tight.settled(&gateway).await["total"]["requests"], 1);
}

/// How many requests wait behind a file that somebody else has locked: each is tried for a quarter of a second, so that the
/// last ones are given up before they are.
const MANY: usize = 16;

#[tokio::test]
async fn requests_refused_while_the_file_is_locked_cost_nothing() {
    let gateway = Setup::new().config("[plans.narrow]\nmax_concurrent = 1").start().await;
    let narrow: Vec<_> = (0..MANY / 2).map(|at| Account::of(&format!("narrow-{at}"), "narrow")).collect();
    for account in &narrow {
        assert_eq!(account.transcribe(&gateway, 1000).await.status, 200);
        account.settled(&gateway).await;
    }
    let file = rusqlite::Connection::open(gateway.setup().data().join("voxgate.sqlite3")).unwrap();
    for _ in 0..2 {
        let before = answered(&gateway, &narrow).await;
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        let asked = narrow.iter().flat_map(|account| [account, account]).enumerate();
        let mut answers: FuturesUnordered<_> = asked
            .map(|(at, account)| {
                let gateway = &gateway;
                async move { (at / 2, account.transcribe(gateway, 1000).await.status) }
            })
            .collect();
        let mut let_in = vec![0; narrow.len()];
        let mut locked = true;
        while let Some((at, status)) = answers.next().await {
            assert!([200, 429].contains(&status), "{status}");
            let_in[at] += u64::from(status == 200);
            // Those that are given up are still to be done by the store.
            if std::mem::take(&mut locked) {
                file.execute_batch("ROLLBACK").unwrap();
            }
        }
        wait_for_store(&gateway, "ready").await;
        for ((account, before), let_in) in narrow.iter().zip(before).zip(let_in) {
            let requests = before + let_in;
            let usage = account
                .usage_when(&gateway, |usage| usage["open"]["requests"] == 0 && usage["total"]["requests"] == requests);
            assert_eq!(usage.await["total"]["audio_ms"], requests * 1000);
            assert_eq!(account.transcribe(&gateway, 1000).await.status, 200, "its place is free");
        }
    }
}

/// How many requests of each have been answered.
async fn answered(gateway: &Gateway, accounts: &[Account]) -> Vec<u64> {
    let mut counts = Vec::new();
    for account in accounts {
        counts.push(account.settled(gateway).await["total"]["requests"].as_u64().unwrap());
    }
    counts
}
