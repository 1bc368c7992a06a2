//! The settings that docs/identity.md gives for each identity provider, with tokens as it describes them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::gateway::Setup;
use crate::support::issuer::{Conduct, Issuer, Pair};
use crate::support::token::now;

/// What stands in the block of this kind below this heading of the page.
fn block(provider: &str, kind: &str) -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/identity.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with(provider)).expect(provider);
    let start = section.split_once(&format!("```{kind}\n")).unwrap_or_else(|| panic!("{provider}: no {kind}")).1;
    start.split_once("```").unwrap().0.to_owned()
}

/// Runs a gateway by the page's settings before a local issuer, and asks it who the bearer of the page's token is.
async fn who(provider: &str, key: &Pair, origin: &str, jwks_url: Option<&str>) -> (Value, u16) {
    // An encryption key beside it, as Keycloak has.
    let mut encryption = Pair::rsa("encryption").jwk();
    (encryption["use"], encryption["alg"]) = ("enc".into(), "RSA-OAEP".into());
    let issuer = Issuer::start(Conduct::Publishes(vec![encryption, key.jwk()]));
    let local = |text: String| match jwks_url {
        Some(url) => text.replace(url, &issuer.jwks_url()),
        None => text.replace(origin, &issuer.origin()),
    };
    let toml = block(provider, "toml");
    let settings = local(toml.clone());
    assert_ne!(toml, settings, "the page names {origin}");
    let mut claims: Value = serde_json::from_str(&local(block(provider, "json"))).unwrap();
    issuer.calls_itself(claims["iss"].as_str().unwrap());
    let plans = "[plans.pro]\nrequests_per_minute = 5\n";
    let setup = Setup::new().without("VOXGATE_JWT_SECRET").config(&format!("{settings}\n{plans}"));
    let gateway = setup.start().await;
    (claims["iat"], claims["exp"]) = (json!(now()), json!(now() + 60));
    let usage = |claims: &Value| gateway.request(Method::GET, "/v1/usage").bearer_auth(key.sign(claims));
    let answer = gateway.send(usage(&claims)).await;
    assert_eq!(answer.status, 200, "{provider}: {}", answer.text());
    let said = answer.json();
    let models = gateway.send(gateway.request(Method::GET, "/v1/models").bearer_auth(key.sign(&claims))).await;
    // A token of another customer of the provider, or for another of its services.
    for (name, other) in [("iss", "https://other.example.com"), ("aud", "another")] {
        let mut claims = claims.clone();
        if claims.get(name).is_some() {
            claims[name] = other.into();
            assert_eq!(gateway.send(usage(&claims)).await.status, 401, "{provider}: {name}");
        }
    }
    (json!([said["subject"], said["plan"]]), models.status)
}

#[tokio::test]
async fn auth0() {
    let origin = "https://example.eu.auth0.com";
    let found = who("Auth0", &Pair::rsa("a"), origin, None).await;
    assert_eq!(found, (json!(["auth0|65f1c0ffee", "pro"]), 200));
}

#[tokio::test]
async fn clerk() {
    let url = "https://clerk.example.com/.well-known/jwks.json";
    let found = who("Clerk", &Pair::rsa("ins_a"), "https://clerk.example.com", Some(url)).await;
    assert_eq!(found, (json!(["user_2abcDEF", "pro"]), 200));
}

#[tokio::test]
async fn supabase() {
    let url = "https://abcdefgh.supabase.co/auth/v1/.well-known/jwks.json";
    let found = who("Supabase", &Pair::p256("a"), "https://abcdefgh.supabase.co", Some(url)).await;
    assert_eq!(found, (json!(["3f0c1b1e-7a52-4a8b-9d54-1c2d3e4f5a6b", "pro"]), 200));
}

#[tokio::test]
async fn keycloak() {
    let found = who("Keycloak", &Pair::rsa("a"), "https://keycloak.example.com", None).await;
    assert_eq!(found, (json!(["0b9d6f1c-2f0e-4f55-8f0e-6a1d2b3c4d5e", "pro"]), 200));
}

#[tokio::test]
async fn firebase() {
    let url = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
    let found = who("Firebase", &Pair::rsa("a"), "https://securetoken.google.com", Some(url)).await;
    assert_eq!(found, (json!(["aBcD1234uid", "pro"]), 200));
}
