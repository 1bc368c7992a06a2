//! A caller of the gateway and what they have used.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, TRANSCRIPTIONS};
use crate::support::poll::until;
use crate::support::{audio, token};

/// A caller of one plan.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) subject: String,
    token: String,
}

impl Account {
    pub(crate) fn of(subject: &str, plan: &str) -> Self {
        let token = token::with(&json!({ "sub": subject, "plan": plan }));
        Self { subject: subject.to_owned(), token }
    }

    /// Whoever has this token.
    pub(crate) fn with(token: &str) -> Self {
        Self { subject: "carol".to_owned(), token: token.to_owned() }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Has `ms` of silence transcribed.
    pub(crate) async fn transcribe(&self, gateway: &Gateway, ms: usize) -> Answer {
        self.send(gateway, Form::new().file(&audio::wav(ms))).await
    }

    pub(crate) async fn send(&self, gateway: &Gateway, form: Form) -> Answer {
        let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(&self.token);
        gateway.send(form.on(request)).await
    }

    /// `GET /v1/usage`
    pub(crate) async fn usage(&self, gateway: &Gateway) -> Value {
        let request = gateway.request(Method::GET, "/v1/usage").bearer_auth(&self.token);
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The same, once nothing is open any more: settlements are written a moment after the answer.
    pub(crate) async fn settled(&self, gateway: &Gateway) -> Value {
        self.usage_when(gateway, |usage| usage["open"]["requests"] == 0).await
    }

    pub(crate) async fn usage_when(&self, gateway: &Gateway, enough: impl Fn(&Value) -> bool) -> Value {
        until("the usage is as expected", async || {
            let usage = self.usage(gateway).await;
            if enough(&usage) { Ok(usage) } else { Err(usage) }
        })
        .await
    }
}
