//! `voxgate usage`, and requests for it to report.

use std::process::Output;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::form::Form;
use super::gateway::{Answer, Gateway, TRANSCRIPTIONS};
use super::poll::until;
use super::{audio, token};

/// What a command printed that did what it was asked.
#[track_caller]
pub(crate) fn printed(output: Output) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn usage(gateway: &Gateway, arguments: &[&str]) -> String {
    printed(gateway.command(&[&["usage"], arguments].concat()))
}

pub(crate) fn json_usage(gateway: &Gateway, arguments: &[&str]) -> Value {
    serde_json::from_str(&usage(gateway, &[&["--format", "json"], arguments].concat())).unwrap()
}

pub(crate) fn csv_usage(gateway: &Gateway, arguments: &[&str]) -> String {
    usage(gateway, &[&["--format", "csv"], arguments].concat())
}

/// A request to be transcribed, by someone.
pub(crate) fn of(gateway: &Gateway, subject: &str, form: Form) -> RequestBuilder {
    let token = token::with(&json!({ "sub": subject }));
    form.on(gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token))
}

pub(crate) fn form(model: &str, ms: usize) -> Form {
    Form::new().field("model", model).file(&audio::wav(ms))
}

/// Has something transcribed for someone.
pub(crate) async fn transcribed(gateway: &Gateway, subject: &str, form: Form) -> Answer {
    let answer = gateway.send(of(gateway, subject, form)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// Waits until all but `open` of `requests` are settled, which they are a moment after their answers.
pub(crate) async fn settled(gateway: &Gateway, requests: u64, open: u64) {
    until("all is settled", async || {
        let now = json_usage(gateway, &[]);
        let settled = now["total"]["requests"] == requests && now["open"]["requests"] == open;
        if settled { Ok(()) } else { Err(now) }
    })
    .await;
}
