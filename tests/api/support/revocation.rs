//! Tokens that are revoked, or not.

use reqwest::Method;

use super::audio;
use super::form::Form;
use super::gateway::{Answer, Gateway, TRANSCRIPTIONS};

pub(crate) async fn transcribe(gateway: &Gateway, token: &str) -> Answer {
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token);
    gateway.send(Form::new().file(&audio::wav(300)).on(request)).await
}

/// The answers to all that a token can be used for.
async fn answers(gateway: &Gateway, token: &str) -> Vec<Answer> {
    let get = async |path| gateway.send(gateway.request(Method::GET, path).bearer_auth(token)).await;
    vec![transcribe(gateway, token).await, get("/v1/models").await, get("/v1/usage").await]
}

pub(crate) async fn assert_refused(gateway: &Gateway, token: &str) {
    for answer in answers(gateway, token).await {
        answer.is_error(401, "invalid_token", None);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        assert!(answer.text().contains("revoked"), "{}", answer.text());
    }
}

pub(crate) async fn assert_accepted(gateway: &Gateway, token: &str) {
    for answer in answers(gateway, token).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

pub(crate) fn revoke(gateway: &Gateway, arguments: &[&str]) -> String {
    let done = gateway.command(&[&["revoke"], arguments].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
