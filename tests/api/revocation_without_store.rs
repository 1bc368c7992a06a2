//! A revocation that a gateway has heard of holds while the store is away, and after it has forgotten it.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Setup};
use crate::support::redis_server::Server;
use crate::support::revocation::{assert_accepted, assert_refused, revoke, transcribe};
use crate::support::scrape::Scrape;
use crate::support::stores::{durable_redis, wait_for_store};
use crate::support::{sessions, token};

/// Two gateways that share a Redis.
async fn two(server: &Server) -> [Gateway; 2] {
    let shared = async || Setup::new().env("REDIS_URL", &server.url()).start().await;
    [shared().await, shared().await]
}

/// Waits until a gateway has heard of so many revocations.
async fn knows(gateway: &Gateway, count: u64) {
    Scrape::when(gateway, |scrape| scrape.count("voxgate_revocations_known", &[]) == count).await;
}

fn named(jti: &str) -> String {
    token::with(&json!({ "jti": jti }))
}

fn shop() -> String {
    sessions::backend("shop", "default")
}

/// A session of alice's, by its token and its id.
async fn alices_session(gateway: &Gateway) -> (String, String) {
    sessions::open(gateway, &shop(), &json!({ "subject": "alice", "scope": "transcribe usage" })).await
}

#[tokio::test]
async fn revoked_tokens_are_refused_on_every_gateway_while_redis_is_away() {
    let mut server = durable_redis();
    let gateways = two(&server).await;
    let (one, two, old) = (named("one"), named("two"), token::with(&json!({ "sub": "bob", "iat": token::now() - 60 })));
    let (of_session, id) = alices_session(&gateways[0]).await;
    // No gateway has ever seen these tokens.
    revoke(&gateways[0], &["--sub", "alice", "--jti", "one"]);
    revoke(&gateways[0], &["--sub", "bob", "--all"]);
    assert_eq!(sessions::end(&gateways[0], &shop(), &id).await.status, 204);
    for gateway in &gateways {
        knows(gateway, 3).await;
    }
    server.kill();
    for gateway in &gateways {
        for token in [&one, &old, &of_session] {
            assert_refused(gateway, token).await;
        }
        assert_eq!(transcribe(gateway, &two).await.status, 200);
        wait_for_store(gateway, "away").await;
        assert_refused(gateway, &one).await;
    }
    // Without persistence it comes back with nothing.
    server.start_again();
    for gateway in &gateways {
        wait_for_store(gateway, "ready").await;
        for token in [&one, &old, &of_session] {
            assert_refused(gateway, token).await;
        }
    }
}

#[tokio::test]
async fn what_a_gateway_has_seen_refused_it_refuses_while_redis_is_away() {
    let mut server = Server::start();
    // As an earlier version revokes: it tells nobody.
    let [gateway, _] = two(&server).await;
    let one = named("one");
    assert_accepted(&gateway, &one).await;
    let keys: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "voxgate:{*}:alice:*"])).unwrap();
    let tag = keys[0].split_once(":alice").unwrap().0;
    server.run(&["SET", &format!("{tag}:alice:one:revoked-token"), "0", "PX", "600000"]);
    assert_refused(&gateway, &one).await;
    server.kill();
    assert_refused(&gateway, &one).await;
}

#[tokio::test]
async fn revocations_that_redis_loses_are_restored() {
    let server = Server::start();
    let gateways = two(&server).await;
    let (one, two) = (named("one"), named("two"));
    for round in 1..=2 {
        for jti in ["one", "three", "four"] {
            revoke(&gateways[0], &["--sub", "alice", "--jti", jti]);
        }
        for gateway in &gateways {
            knows(gateway, 3).await;
        }
        server.run(&["FLUSHALL"]);
        for gateway in &gateways {
            assert_refused(gateway, &one).await;
            assert_accepted(gateway, &two).await;
        }
        // One that has heard nothing itself.
        let late = Setup::new().env("REDIS_URL", &server.url()).start().await;
        knows(&late, 3).await;
        assert_refused(&late, &one).await;
        assert_accepted(&late, &two).await;
        let kept: Value = server_keys(&server, "voxgate:*:revoked-token").len().into();
        assert_eq!(kept, 3, "round {round}");
    }
}

fn server_keys(server: &Server, pattern: &str) -> Vec<String> {
    redis::from_redis_value(server.run(&["KEYS", pattern])).unwrap()
}

#[tokio::test]
async fn revoked_tokens_are_refused_while_the_embedded_store_stands_still() {
    for policy in ["local", "deny"] {
        let gateway = Setup::new().env("VOXGATE_ON_STORE_FAILURE", policy).start().await;
        let (one, two) = (named("one"), named("two"));
        let (of_session, id) = alices_session(&gateway).await;
        assert_accepted(&gateway, &two).await;
        revoke(&gateway, &["--sub", "alice", "--jti", "one"]);
        assert_eq!(sessions::end(&gateway, &shop(), &id).await.status, 204);
        knows(&gateway, 2).await;
        let file = rusqlite::Connection::open(gateway.setup().data().join("voxgate.sqlite3")).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(transcribe(&gateway, &two).await.status, if policy == "local" { 200 } else { 503 });
        wait_for_store(&gateway, "away").await;
        for token in [&one, &of_session] {
            assert_refused(&gateway, token).await;
        }
        file.execute_batch("ROLLBACK").unwrap();
        wait_for_store(&gateway, "ready").await;
        assert_refused(&gateway, &one).await;
        // What a file remembers, the next gateway does too.
        let gateway = gateway.killed_and_started_again().await;
        knows(&gateway, 2).await;
        assert_refused(&gateway, &of_session).await;
    }
}
