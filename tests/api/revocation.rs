//! A token that was revoked is refused from the next request on, wherever it comes.

use reqwest::Method;
use serde_json::json;

use crate::support::gateway::{Gateway, Setup};
use crate::support::redis_server::Server;
use crate::support::revocation::{assert_accepted, assert_refused, revoke};
use crate::support::token;

/// Two gateways that share a Redis, and one that is alone.
async fn pairs() -> Vec<(Gateway, Gateway, Option<Server>)> {
    let server = Server::start();
    let shared = async || Setup::new().env("REDIS_URL", &server.url()).start().await;
    let (first, second) = (shared().await, shared().await);
    vec![(first, second, Some(server)), (Gateway::start().await, Gateway::start().await, None)]
}

#[tokio::test]
async fn a_revoked_token_is_refused_on_every_replica() {
    for (first, second, redis) in pairs().await {
        let named = |jti: &str| token::with(&json!({ "jti": jti }));
        let (one, two) = (named("one"), named("two"));
        assert_accepted(&first, &one).await;
        let said = revoke(&first, &["--sub", "alice", "--jti", "one"]);
        assert!(said.starts_with("alice: the token with the id one is refused until 20"), "{said}");
        assert!(said.contains("Issued ids are not recorded") && said.contains("no open session"), "{said}");
        let done = first.command(&["revoke", "--sub", "alice", "--jti", "one"]);
        let audited: serde_json::Value = serde_json::from_slice(&done.stderr).unwrap();
        assert_eq!(audited["target"], "voxgate::audit");
        assert_eq!([&audited["subject"], &audited["token"]], ["alice", "one"]);
        assert_refused(&first, &one).await;
        assert_accepted(&first, &two).await;
        if redis.is_some() {
            assert_refused(&second, &one).await;
            assert_accepted(&second, &two).await;
        }
        // The provider was not asked for what was refused.
        assert_eq!(first.provider.requests(), 2);
    }
}

#[tokio::test]
async fn all_tokens_of_a_subject_can_be_revoked_and_new_ones_hold() {
    for (first, second, redis) in pairs().await {
        let issued = |seconds_ago: u64| token::with(&json!({ "iat": token::now() - seconds_ago }));
        let (old, bobs) = (issued(60), token::with(&json!({ "sub": "bob", "iat": token::now() - 60 })));
        let undated = token::with(&json!({ "iat": null }));
        assert_accepted(&first, &undated).await;
        revoke(&first, &["--sub", "alice", "--all"]);
        assert_refused(&first, &old).await;
        assert_refused(&first, &undated).await;
        assert_accepted(&first, &bobs).await;
        // Clocks may differ by some seconds, so this is what comes next.
        let new = token::with(&json!({ "iat": token::now() + 2 }));
        assert_accepted(&first, &new).await;
        if redis.is_some() {
            assert_refused(&second, &old).await;
            assert_accepted(&second, &new).await;
        }
    }
}

#[tokio::test]
async fn a_revocation_outlives_the_gateway_and_ends_with_the_tokens() {
    let gateway = Gateway::start().await;
    let (kept, brief) = (token::with(&json!({ "jti": "kept" })), token::with(&json!({ "jti": "brief" })));
    assert_accepted(&gateway, &kept).await;
    revoke(&gateway, &["--sub", "alice", "--jti", "kept"]);
    revoke(&gateway, &["--sub", "alice", "--jti", "brief", "--keep", "1ms"]);
    let gateway = gateway.killed_and_started_again().await;
    assert_refused(&gateway, &kept).await;
    assert_accepted(&gateway, &brief).await;
}

#[tokio::test]
async fn of_a_sessions_token_it_is_said_whose_it_is() {
    for (gateway, _other, _redis) in pairs().await {
        let backend = token::with(&json!({ "sub": "shop", "scope": "sessions transcribe" }));
        let request = gateway
            .request(Method::POST, "/v1/sessions")
            .bearer_auth(backend)
            .header("content-type", "application/json");
        let opened = gateway.send(request.body(r#"{"subject":"carol"}"#)).await.json();
        let said = revoke(&gateway, &["--sub", "carol", "--jti", opened["id"].as_str().unwrap()]);
        assert!(said.contains("an open session of carol, which ends at 20"), "{said}");
        let request = gateway.request(Method::GET, "/v1/models").bearer_auth(opened["token"].as_str().unwrap());
        gateway.send(request).await.is_error(401, "invalid_token", None);
    }
}

#[tokio::test]
async fn what_cannot_be_revoked_says_why() {
    let gateway = Gateway::start().await;
    for (arguments, why) in [
        (&["--sub", "alice"][..], "required"),
        (&["--sub", "alice", "--jti", "x", "--all"], "cannot be used with"),
        (&["--all"], "--sub"),
        (&["--sub", "alice", "--jti", ""], "--jti"),
    ] {
        let done = gateway.command(&[&["revoke"], arguments].concat());
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains(why), "{said}");
    }
}
