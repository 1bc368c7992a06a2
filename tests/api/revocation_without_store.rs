//! A revocation that a gateway has heard of holds while the store is away, and after it has forgotten it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup};
use crate::redis_server::Server;
use crate::revocation::{is_refused, is_taken, revoke, transcribe};
use crate::scrape::Scrape;
use crate::store_failure::{durable, store_is};
use crate::token;

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

/// A session of alice's, by its token and its id.
async fn session(gateway: &Gateway, backend: &str) -> (String, String) {
    let request = gateway.request(Method::POST, "/v1/sessions").bearer_auth(backend);
    let wish = json!({ "subject": "alice", "scope": "transcribe usage" }).to_string();
    let opened = gateway.send(request.header("content-type", "application/json").body(wish)).await;
    assert_eq!(opened.status, 201, "{}", opened.text());
    let text = |name: &str| opened.json()[name].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

async fn end(gateway: &Gateway, backend: &str, id: &str) {
    let request = gateway.request(Method::DELETE, &format!("/v1/sessions/{id}")).bearer_auth(backend);
    assert_eq!(gateway.send(request).await.status, 204);
}

fn backend() -> String {
    token::with(&json!({ "sub": "shop", "scope": "sessions transcribe usage" }))
}

#[tokio::test]
async fn revoked_tokens_are_refused_on_every_gateway_while_redis_is_away() {
    let mut server = durable();
    let gateways = two(&server).await;
    let (one, two, old) = (named("one"), named("two"), token::with(&json!({ "sub": "bob", "iat": token::now() - 60 })));
    let (of_session, id) = session(&gateways[0], &backend()).await;
    // No gateway has ever seen these tokens.
    revoke(&gateways[0], &["--sub", "alice", "--jti", "one"]);
    revoke(&gateways[0], &["--sub", "bob", "--all"]);
    end(&gateways[0], &backend(), &id).await;
    for gateway in &gateways {
        knows(gateway, 3).await;
    }
    server.kill();
    for gateway in &gateways {
        for token in [&one, &old, &of_session] {
            is_refused(gateway, token).await;
        }
        assert_eq!(transcribe(gateway, &two).await.status, 200);
        store_is(gateway, "away").await;
        is_refused(gateway, &one).await;
    }
    // Without persistence it comes back with nothing.
    server.start_again();
    for gateway in &gateways {
        store_is(gateway, "ready").await;
        for token in [&one, &old, &of_session] {
            is_refused(gateway, token).await;
        }
    }
}

#[tokio::test]
async fn what_a_gateway_has_seen_refused_it_refuses_while_redis_is_away() {
    let mut server = Server::start();
    // As an earlier version revokes: it tells nobody.
    let [gateway, _] = two(&server).await;
    let one = named("one");
    is_taken(&gateway, &one).await;
    let keys: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "voxgate:{*}:alice:*"])).unwrap();
    let tag = keys[0].split_once(":alice").unwrap().0;
    server.run(&["SET", &format!("{tag}:alice:one:revoked-token"), "0", "PX", "600000"]);
    is_refused(&gateway, &one).await;
    server.kill();
    is_refused(&gateway, &one).await;
}

#[tokio::test]
async fn revocations_that_redis_forgets_are_given_back_to_it_and_to_gateways_that_start_later() {
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
            is_refused(gateway, &one).await;
            is_taken(gateway, &two).await;
        }
        // One that has heard nothing itself.
        let late = Setup::new().env("REDIS_URL", &server.url()).start().await;
        knows(&late, 3).await;
        is_refused(&late, &one).await;
        is_taken(&late, &two).await;
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
        let (of_session, id) = session(&gateway, &backend()).await;
        is_taken(&gateway, &two).await;
        revoke(&gateway, &["--sub", "alice", "--jti", "one"]);
        end(&gateway, &backend(), &id).await;
        knows(&gateway, 2).await;
        let file = rusqlite::Connection::open(gateway.setup().data().join("voxgate.sqlite3")).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(transcribe(&gateway, &two).await.status, if policy == "local" { 200 } else { 503 });
        store_is(&gateway, "away").await;
        for token in [&one, &of_session] {
            is_refused(&gateway, token).await;
        }
        file.execute_batch("ROLLBACK").unwrap();
        store_is(&gateway, "ready").await;
        is_refused(&gateway, &one).await;
        // What a file remembers, the next gateway does too.
        let gateway = gateway.killed_and_started_again().await;
        knows(&gateway, 2).await;
        is_refused(&gateway, &of_session).await;
    }
}
