//! A connection to Redis that is lost is not a Redis that is lost.

use futures_util::future::join_all;

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::poll::until;
use crate::support::redis_proxy::RedisProxy;
use crate::support::redis_server::Cluster;
use crate::support::stores::{durable_redis, wait_for_store};

/// A gateway that lets nobody in without Redis.
async fn strict(url: &str) -> Gateway {
    Setup::new().env("REDIS_URL", url).env("VOXGATE_ON_STORE_FAILURE", "deny").start().await
}

async fn is_charged(gateway: &Gateway, account: &Account, requests: u64) {
    let usage = account.settled(gateway).await;
    assert_eq!(
        (&usage["total"]["requests"], &usage["total"]["audio_ms"]),
        (&requests.into(), &(requests * 300).into())
    );
    let log = gateway.log.text();
    assert!(!log.contains("Redis is away"), "{log}");
}

#[tokio::test]
async fn a_redis_that_closes_every_connection_after_each_request_is_there() {
    let server = durable_redis();
    let gateway = strict(&server.url()).await;
    let alice = Account::of("alice", "default");
    for _ in 0..20 {
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    for _ in 0..5 {
        let many = join_all((0..8).map(|_| alice.transcribe(&gateway, 300)));
        let (answers, _) = tokio::join!(many, async { server.run(&["CLIENT", "KILL", "TYPE", "normal"]) });
        assert!(answers.iter().all(|answer| answer.status == 200));
    }
    is_charged(&gateway, &alice, 60).await;
}

#[tokio::test]
async fn a_redis_that_closes_idle_connections_is_there() {
    let server = durable_redis();
    let gateway = strict(&server.url()).await;
    let alice = Account::of("alice", "default");
    // Both workers and the one that looks after it have a connection.
    let connections = || {
        let list: String = redis::from_redis_value(server.run(&["CLIENT", "LIST", "TYPE", "normal"])).unwrap();
        list.lines().filter(|line| line.contains("cmd=evalsha")).count()
    };
    for round in 1..=3 {
        server.run(&["CONFIG", "SET", "timeout", "0"]);
        join_all((0..8).map(|_| alice.transcribe(&gateway, 300))).await;
        server.run(&["CONFIG", "SET", "timeout", "1"]);
        // That of the watch is never idle.
        until("idle connections are closed", async || {
            let left = connections();
            if left <= 1 { Ok(()) } else { Err(left) }
        })
        .await;
        for _ in 0..4 {
            assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        }
        is_charged(&gateway, &alice, round * 12).await;
    }
}

#[tokio::test]
async fn what_was_decided_when_the_connection_broke_is_charged_once() {
    let server = durable_redis();
    let proxy = RedisProxy::to(&server).await;
    let gateway = strict(&proxy.url()).await;
    let alice = Account::of("alice", "default");
    for round in 1..=6_u64 {
        // A decision is a list of nine; a settlement is answered with a time, as is the look of the watch.
        proxy.lose_answers(2, if round % 2 == 0 { b":" } else { b"*9\r\n" });
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        proxy.has_lost(usize::try_from(round).unwrap() * 2).await;
        is_charged(&gateway, &alice, round).await;
    }
}

#[tokio::test]
async fn a_cluster_that_closes_every_connection_is_there() {
    let cluster = Cluster::start();
    let gateway = strict(&cluster.url()).await;
    let alice = Account::of("alice", "default");
    for _ in 0..5 {
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
        for node in cluster.masters() {
            node.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        }
    }
    is_charged(&gateway, &alice, 5).await;
}

#[tokio::test]
async fn a_redis_that_cannot_be_reached_is_away_at_once() {
    let mut server = durable_redis();
    let gateway = strict(&server.url()).await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
    server.kill();
    alice.transcribe(&gateway, 300).await.is_error(503, "store_unavailable", None);
    server.start_again();
    wait_for_store(&gateway, "ready").await;
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
}
