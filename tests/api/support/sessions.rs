//! Sessions, as a backend opens them.

use reqwest::Method;
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway};
use super::token;

/// The token of a backend, which may open sessions.
pub(crate) fn backend(name: &str, plan: &str) -> String {
    token::with(&json!({ "sub": name, "plan": plan, "scope": "sessions transcribe usage" }))
}

/// `POST /v1/sessions`
pub(crate) async fn create(gateway: &Gateway, token: &str, body: &Value) -> Answer {
    let request = gateway.request(Method::POST, "/v1/sessions").bearer_auth(token);
    gateway.send(request.header("content-type", "application/json").body(body.to_string())).await
}

/// Opens a session, and returns its token and its id.
pub(crate) async fn open(gateway: &Gateway, token: &str, body: &Value) -> (String, String) {
    let answer = create(gateway, token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let session = answer.json();
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

/// `DELETE /v1/sessions/{id}`
pub(crate) async fn end(gateway: &Gateway, token: &str, id: &str) -> Answer {
    gateway.send(gateway.request(Method::DELETE, &format!("/v1/sessions/{id}")).bearer_auth(token)).await
}
