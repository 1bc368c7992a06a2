//! What becomes of settlements that the store cannot take.

use serde_json::json;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Setup, TRANSCRIPTIONS};
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply, answer};
use crate::support::redis_proxy::RedisProxy;
use crate::support::stores::{durable_redis, wait_for_store};

#[tokio::test]
async fn what_a_gateway_could_not_settle_the_next_one_does_once() {
    let mut server = durable_redis();
    let mut gateway = Setup::new().env("REDIS_URL", &server.url()).start().await;
    let alice = Account::of("alice", "default");
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let in_flight = alice.transcribe(&gateway, 3000);
    let meanwhile = async {
        gateway.provider.asked(1).await;
        server.kill();
        gate.open();
    };
    assert_eq!(tokio::join!(in_flight, meanwhile).0.status, 200);
    assert_eq!(alice.transcribe(&gateway, 2000).await.status, 200);
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(gateway.log.text().contains("settlements wait on disk"), "{}", gateway.log.text());
    server.start_again();
    for _ in 0..2 {
        let mut again = gateway.setup().clone().start().await;
        let usage = alice.usage_when(&again, |usage| usage["open"]["requests"] == 0 && usage["total"]["requests"] == 2);
        assert_eq!(usage.await["total"], json!({ "requests": 2, "audio_ms": 5000, "spent_usd": "0.000375" }));
        again.terminate();
        assert_eq!(again.ended().await.code(), Some(0));
    }
    let waiting = std::fs::read_dir(gateway.setup().data().join("settlements")).unwrap().count();
    assert_eq!(waiting, 0);
}

#[tokio::test]
async fn a_full_settlement_backlog_admits_nobody_without_the_store() {
    let mut server = durable_redis();
    let setup = Setup::new().config("[store]\nmax_pending = 2").env("REDIS_URL", &server.url());
    let gateway = setup.start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    server.kill();
    let refused = until("no more settlements can be kept", async || {
        let answer = alice.transcribe(&gateway, 1000).await;
        if answer.status == 200 { Err("it is served") } else { Ok(answer) }
    });
    refused.await.is_error(503, "store_unavailable", None);
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    let asked = gateway.provider.requests();
    let usage = alice.usage_when(&gateway, |usage| usage["total"]["requests"] == asked).await;
    assert_eq!(usage["total"]["audio_ms"], asked * 1000);
}

#[tokio::test]
async fn no_more_are_in_flight_without_the_store_than_can_be_kept() {
    let mut server = durable_redis();
    let setup = Setup::new().config("[store]\nmax_pending = 2").env("REDIS_URL", &server.url());
    let gateway = setup.start().await;
    server.kill();
    wait_for_store(&gateway, "away").await;
    let (alice, never) = (Account::of("alice", "default"), Gate::closed());
    let mut in_flight = Vec::new();
    for at in 1..=2 {
        gateway.provider.answer(Reply::stream().held_by(&never));
        let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(alice.token());
        in_flight.push(tokio::spawn(Form::new().file(&audio::wav(1000)).on(request).send()));
        gateway.provider.asked(at).await;
    }
    alice.transcribe(&gateway, 1000).await.is_error(503, "store_unavailable", None);
}

#[tokio::test]
async fn a_file_that_was_cut_short_costs_nobody_but_its_last_line() {
    let mut server = durable_redis();
    let mut gateway = Setup::new().env("REDIS_URL", &server.url()).start().await;
    server.kill();
    let alice = Account::of("alice-\u{e9}", "default");
    for _ in 0..2 {
        assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    }
    gateway.terminate();
    gateway.ended().await;
    let folder = gateway.setup().data().join("settlements");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // In the middle of a letter of the second one.
    let bytes = std::fs::read(&file).unwrap();
    let cut = bytes.iter().rposition(|byte| *byte == 0xc3).unwrap();
    std::fs::write(&file, &bytes[..=cut]).unwrap();
    std::fs::create_dir(folder.join("a-folder.jsonl")).unwrap();
    server.start_again();
    let again = gateway.setup().clone().start().await;
    let usage = alice.usage_when(&again, |usage| usage["total"]["requests"] == 1).await;
    assert_eq!(usage["total"]["audio_ms"], 1000);
}

#[tokio::test]
async fn a_client_that_leaves_while_redis_is_asked_is_charged_nothing() {
    let server = durable_redis();
    let proxy = RedisProxy::to(&server).await;
    let setup = Setup::new().env("REDIS_URL", &proxy.url()).env("VOXGATE_REDIS__TIMEOUT", "10s");
    // Each worker has a connection of its own, which it could not open while answers are held.
    let gateway = setup.env("VOXGATE_SERVER__WORKERS", "1").start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    server.run(&["SCRIPT", "FLUSH"]);
    proxy.hold_answers();
    let bytes = Form::new().file(&audio::wav(1000)).bytes();
    for _ in 0..4 {
        let asked = proxy.questions_about("alice");
        let mut wire = gateway.wire().await;
        let head = crate::support::wire::request_head(alice.token(), &Form::content_type(), bytes.len(), "");
        wire.send(head).await;
        wire.send(&bytes).await;
        until("Redis is asked", async || {
            let now = proxy.questions_about("alice");
            if now > asked { Ok(()) } else { Err(now) }
        })
        .await;
    }
    gateway.log.recorded(5).await;
    proxy.release_answers();
    let usage = alice.usage_when(&gateway, |usage| usage["open"]["requests"] == 0).await;
    assert_eq!(usage["total"]["audio_ms"], 1000, "{usage}");
    assert_eq!(gateway.provider.requests(), 1);
}
