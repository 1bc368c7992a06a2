//! What holds while the store is away.

use futures_util::future::join_all;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply, answer};
use crate::support::redis_server::Server;
use crate::support::stores::{durable_redis, wait_for_store};

const PLANS: &str = r#"
[plans.brisk]
requests_per_minute = 1
burst = 5
[plans.narrow]
max_concurrent = 1
[plans.poor]
monthly_usd = "0.00015"     # two recordings of a second
"#;

async fn gateway(server: &Server) -> Gateway {
    Setup::new().config(PLANS).env("REDIS_URL", &server.url()).start().await
}

#[tokio::test]
async fn without_redis_callers_are_held_to_what_the_gateway_knows() {
    let mut server = durable_redis();
    let gateway = gateway(&server).await;
    let (poor, brisk, narrow) =
        (Account::of("poor", "poor"), Account::of("brisk", "brisk"), Account::of("narrow", "narrow"));
    for _ in 0..2 {
        assert_eq!(poor.transcribe(&gateway, 1000).await.status, 200);
    }
    assert_eq!(brisk.transcribe(&gateway, 1000).await.status, 200);
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let asked = gateway.provider.requests();
    let in_flight = narrow.transcribe(&gateway, 1000);
    let meanwhile = async {
        gateway.provider.asked(asked + 1).await;
        server.kill();
        // The budget was used up when it was last heard of, the rate goes on, and the one in flight is still in flight.
        poor.transcribe(&gateway, 1000).await.is_error(429, "insufficient_quota", None);
        narrow.transcribe(&gateway, 1000).await.is_error(429, "concurrency_limit_exceeded", None);
        for _ in 0..4 {
            assert_eq!(brisk.transcribe(&gateway, 1000).await.status, 200);
        }
        brisk.transcribe(&gateway, 1000).await.is_error(429, "rate_limit_exceeded", None);
        wait_for_store(&gateway, "away").await;
        assert_eq!(gateway.send(gateway.operational("/health/ready")).await.status, 200);
        gate.open();
    };
    let (last, ()) = tokio::join!(in_flight, meanwhile);
    assert_eq!(last.status, 200);
    // As one ends there is room for the next.
    for _ in 0..2 {
        assert_eq!(narrow.transcribe(&gateway, 1000).await.status, 200);
    }
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    for (account, requests) in [(&poor, 2), (&brisk, 5), (&narrow, 3)] {
        let usage = account
            .usage_when(&gateway, |usage| usage["total"]["requests"] == requests && usage["open"]["requests"] == 0);
        let ms = requests * 1000;
        assert_eq!(usage.await["total"]["audio_ms"], ms);
    }
    let log = gateway.log.text();
    assert_eq!((log.matches("Redis is away").count(), log.matches("Redis is back").count()), (1, 1), "{log}");
}

#[tokio::test]
async fn deny_refuses_before_the_body_until_redis_is_back() {
    let mut server = durable_redis();
    let setup = Setup::new().config(PLANS).env("REDIS_URL", &server.url()).env("VOXGATE_ON_STORE_FAILURE", "deny");
    let gateway = setup.start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    server.kill();
    let refused = alice.transcribe(&gateway, 1000).await;
    refused.is_error(503, "store_unavailable", None);
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (Some("1"), Some("1000")));
    let ready = gateway.send(gateway.operational("/health/ready")).await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("store_unavailable")));
    let mut wire = gateway.wire().await;
    let head = format!(
        "POST {TRANSCRIPTIONS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: audio/wav\r\n\
         content-length: 10000\r\nexpect: 100-continue\r\n\r\n",
        alice.token()
    );
    wire.send(&head).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 503"));
    let usage = gateway.request(reqwest::Method::GET, "/v1/usage").bearer_auth(alice.token());
    gateway.send(usage).await.is_error(503, "store_unavailable", None);
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    let usage = alice.settled(&gateway).await;
    // The one that was refused was charged nothing.
    assert_eq!(usage["total"]["audio_ms"], 2000);
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn a_budget_is_given_out_once_however_often_redis_goes_and_comes_back() {
    let mut server = durable_redis();
    let gateway = gateway(&server).await;
    let (poor, never) = (Account::of("poor", "poor"), Gate::closed());
    let mut in_flight = Vec::new();
    for round in 0..3 {
        for _ in 0..4 {
            gateway.provider.answer(Reply::stream().held_by(&never));
            let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(poor.token());
            in_flight.push(tokio::spawn(Form::new().file(&audio::wav(1000)).on(request).send()));
        }
        // All have been decided: those that were let in are at the provider, the others are refused.
        if round == 0 {
            gateway.provider.asked(2).await;
        }
        let refused = poor.transcribe(&gateway, 1000).await;
        refused.is_error(429, "insufficient_quota", None);
        if round % 2 == 0 {
            server.kill();
            wait_for_store(&gateway, "away").await;
        } else {
            server.start_again();
            wait_for_store(&gateway, "ready").await;
        }
    }
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn without_redis_a_budget_is_enough_for_as_many_at_once_as_ever() {
    let mut server = durable_redis();
    let gateway = gateway(&server).await;
    server.kill();
    wait_for_store(&gateway, "away").await;
    let poor = Account::of("poor", "poor");
    let answers = join_all((0..20).map(|_| poor.transcribe(&gateway, 1000))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2);
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    poor.transcribe(&gateway, 1000).await.is_error(429, "insufficient_quota", None);
}

#[tokio::test]
async fn a_gateway_starts_without_redis_and_finds_it_later() {
    let mut server = durable_redis();
    server.kill();
    let gateway = gateway(&server).await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    let usage = alice.usage_when(&gateway, |usage| usage["total"]["requests"] == 1).await;
    assert_eq!(usage["total"]["audio_ms"], 1000);
}

#[tokio::test]
async fn without_the_embedded_store_the_setting_decides() {
    for policy in ["local", "deny"] {
        let gateway = Gateway::with(&[("VOXGATE_ON_STORE_FAILURE", policy)]).await;
        let alice = Account::of("alice", "default");
        assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
        alice.settled(&gateway).await;
        // Somebody else writes to the file and does not end.
        let file = rusqlite::Connection::open(gateway.setup().data().join("voxgate.sqlite3")).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        let answer = alice.transcribe(&gateway, 2000).await;
        // The other has not ended: the answer did not wait for that.
        let ready = gateway.send(gateway.operational("/health/ready")).await;
        assert_eq!(ready.json()["store"], "away");
        if policy == "deny" {
            answer.is_error(503, "store_unavailable", None);
            assert_eq!(ready.status, 503);
        } else {
            assert_eq!((answer.status, ready.status), (200, 200));
        }
        file.execute_batch("ROLLBACK").unwrap();
        wait_for_store(&gateway, "ready").await;
        let work = gateway.provider.requests();
        let usage = alice.usage_when(&gateway, |usage| usage["by_day"][0]["requests"] == work).await;
        assert_eq!(usage["total"]["audio_ms"], if policy == "deny" { 1000 } else { 3000 });
    }
}

#[tokio::test]
async fn what_redis_refuses_one_caller_keeps_nobody_else_out() {
    let server = durable_redis();
    let setup = Setup::new().env("REDIS_URL", &server.url()).env("VOXGATE_ON_STORE_FAILURE", "deny");
    // A bucket that takes long to be full again, so that Redis remembers it as long.
    let gateway = setup.config("[plans.default]\nrequests_per_minute = 1\nburst = 600").start().await;
    let (eve, anna) = (Account::of("eve", "default"), Account::of("anna", "default"));
    assert_eq!(eve.transcribe(&gateway, 300).await.status, 200);
    let keys: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "voxgate:*:eve:rates"])).unwrap();
    server.run(&["SET", &keys[0], "not what it should be"]);
    for _ in 0..5 {
        eve.transcribe(&gateway, 300).await.is_error(503, "store_unavailable", None);
        assert_eq!(anna.transcribe(&gateway, 300).await.status, 200);
    }
    assert!(!gateway.log.text().contains("Redis is away"), "{}", gateway.log.text());
}

#[tokio::test]
async fn a_redis_that_does_not_allow_what_is_needed_is_away_and_stays_so() {
    let server = durable_redis();
    server.run(&["ACL", "SETUSER", "narrow", "on", ">password", "~*", "+@all", "-xadd"]);
    let url = format!("redis://narrow:password@127.0.0.1:{}/0", server.port());
    let gateway = Setup::new().env("REDIS_URL", &url).start().await;
    wait_for_store(&gateway, "away").await;
    let alice = Account::of("alice", "default");
    for _ in 0..5 {
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
    }
    // It is looked at again and again, and each time the same is not allowed.
    let refused = || {
        let errors: String = redis::from_redis_value(server.run(&["INFO", "errorstats"])).unwrap();
        let counts = errors.lines().filter_map(|line| line.split_once(":count="));
        counts.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = refused();
    until("Redis is looked at three times", async || {
        let more = refused() - before;
        if more >= 3 { Ok(()) } else { Err(more) }
    })
    .await;
    let log = gateway.log.text();
    assert_eq!((log.matches("Redis is away").count(), log.matches("Redis is back").count()), (1, 0), "{log}");
}

#[tokio::test]
async fn a_data_directory_that_is_taken_away_is_noticed() {
    let gateway = Gateway::start().await;
    let moved = gateway.setup().data().with_extension("moved");
    std::fs::rename(gateway.setup().data(), &moved).unwrap();
    wait_for_store(&gateway, "away").await;
    assert!(gateway.log.text().contains("taken away"));
    std::fs::remove_dir_all(moved).unwrap();
}

#[tokio::test]
async fn a_flush_loses_what_was_counted_and_nothing_that_comes_after() {
    let server = durable_redis();
    let gateway = gateway(&server).await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let in_flight = alice.transcribe(&gateway, 3000);
    let meanwhile = async {
        gateway.provider.asked(2).await;
        server.run(&["FLUSHALL"]);
        server.run(&["SCRIPT", "FLUSH"]);
        gate.open();
    };
    assert_eq!(tokio::join!(in_flight, meanwhile).0.status, 200);
    assert_eq!(alice.transcribe(&gateway, 2000).await.status, 200);
    // The one in flight is charged when it ends, though Redis has forgotten that it began.
    let usage = alice.usage_when(&gateway, |usage| usage["total"]["requests"] == 2 && usage["open"]["requests"] == 0);
    assert_eq!(usage.await["total"]["audio_ms"], 5000);
}
