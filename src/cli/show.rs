//! `voxgate token --show`: a token's claims, and the gateway's verdict on it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read, stdin};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::output::{Failure, print, print_remark};
use crate::app::build::build_verifier;
use crate::config::Settings;
use crate::domain::UnixMs;
use crate::identity::{Caller, MAX_TOKEN_BYTES};

/// The maximum length of the input in bytes: enough for a token, the word `Bearer` and whitespace around it.
const MAX_INPUT_BYTES: u64 = 4 * 8192;
const _: () = assert!(MAX_TOKEN_BYTES == 8192);

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let text = read()?;
    // Print neither the token nor its signature: the user may show the output to others.
    let mut lines = header(&text)?;
    if settings.identity.is_empty() {
        return Err(no_key());
    }
    let verifier = build_verifier(&settings.identity, None).map_err(Failure::other)?;
    match verifier.identify(Some(&format!("Bearer {text}"))).await {
        Ok(caller) => {
            lines += &accepted(&caller, settings);
            print(|out| out.write_all(lines.as_bytes()))
        }
        Err(error) => {
            lines += &claims(&text);
            print(|out| out.write_all(lines.as_bytes()))?;
            Err(Failure::Other(format!("this gateway refuses the token: {error}")))
        }
    }
}

fn no_key() -> Failure {
    Failure::Other("this gateway has no key to check a token with: set VOXGATE_JWT_SECRET to what it has".to_owned())
}

/// Reads the token from standard input; accepts a whole header line too.
fn read() -> Result<String, Failure> {
    if stdin().is_terminal() {
        print_remark("paste a token, then press Enter and Ctrl-D");
    }
    let mut input = String::new();
    let read = stdin().take(MAX_INPUT_BYTES).read_to_string(&mut input);
    read.map_err(|error| Failure::Other(format!("standard input cannot be read: {error}")))?;
    match input.split_whitespace().last() {
        Some(token) => Ok(token.to_owned()),
        None => Err(Failure::Other("no token on standard input".to_owned())),
    }
}

fn header(token: &str) -> Result<String, Failure> {
    let header = part(token, 0).ok_or_else(|| {
        let what = "this is not a JWT: three parts of base64url with dots between them, which begin with eyJ";
        Failure::Other(what.to_owned())
    })?;
    let mut lines = String::new();
    for (label, name) in [("algorithm", "alg"), ("key", "kid")] {
        if let Some(value) = header.get(name) {
            line(&mut lines, label, &shown(value));
        }
    }
    Ok(lines)
}

fn accepted(caller: &Caller, settings: &Settings) -> String {
    let mut lines = String::new();
    line(&mut lines, "subject", caller.subject.as_str());
    let known = settings.plans.contains_key(&caller.plan);
    let note = if known { "" } else { " (no such plan in these settings: requests are refused)" };
    line(&mut lines, "plan", &format!("{}{note}", caller.plan));
    let scopes =
        if caller.scopes.is_empty() { "none: it allows nothing".to_owned() } else { caller.scopes.to_string() };
    line(&mut lines, "scope", &scopes);
    line(&mut lines, "id", caller.token_id.as_deref().unwrap_or("none: it cannot be revoked by itself"));
    if let Some(issued) = caller.issued_at {
        line(&mut lines, "issued", &moment(issued));
    }
    line(&mut lines, "expires", &moment(caller.expires_at));
    if let Some(usd) = caller.caps.usd {
        line(&mut lines, "may cost", &format!("{usd} USD in all"));
    }
    if let Some(audio) = caller.caps.audio {
        line(&mut lines, "may send", &format!("{audio} s of audio in all"));
    }
    line(&mut lines, "verdict", "this gateway accepts it, unless it was revoked");
    lines
}

/// Lists the claims of a refused token, which are not verified.
fn claims(token: &str) -> String {
    let mut lines = String::new();
    for (name, value) in part(token, 1).unwrap_or_default() {
        let text = match (name.as_str(), value.as_u64()) {
            ("exp" | "iat" | "nbf", Some(seconds)) => moment(seconds),
            _ => shown(&value),
        };
        line(&mut lines, &format!("says {}", shown(&Value::String(name))), &text);
    }
    lines
}

/// Decodes the header (0) or the claims (1).
fn part(token: &str, index: usize) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let wanted = parts.nth(index)?;
    // A JWS has three parts.
    (token.split('.').count() == 3).then_some(())?;
    let bytes = URL_SAFE_NO_PAD.decode(wanted).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Formats a value on one line, without control characters that a terminal would obey.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.chars().any(char::is_control) => text.clone(),
        other => other.to_string(),
    }
}

fn moment(seconds: u64) -> String {
    let (at, now) = (seconds, UnixMs::now().get() / 1000);
    let span = |seconds| humantime::format_duration(Duration::from_secs(seconds)).to_string();
    let distance = if at > now { format!("in {}", span(at - now)) } else { format!("{} ago", span(now - at)) };
    format!("{} ({distance})", UnixMs::new(at.saturating_mul(1000)))
}

fn line(lines: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(lines, "{label:<12} {value}");
}
