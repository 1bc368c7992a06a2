//! The reason of a provider's refusal: a message for the client, words for the log.
//!
//! OpenAI's own shape is `{"error": {"message", "type", "param", "code"}}`. Others send `{"error": "…"}`,
//! `{"message": "…"}`, `{"detail": "…"}` or, if FastAPI checks the request,
//! `{"detail": [{"loc": ["body", "file"], "msg": "…", "type": "…"}]}`.

use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::redact::without_key;

#[cfg(test)]
mod tests;

/// The longest part of a provider's message that a client gets, in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

/// The longest code or type that the log gets, in characters.
const MAX_WORD_CHARS: usize = 64;

/// The largest number of faults named from a list.
const MAX_FAULTS: usize = 4;

/// The greatest depth at which a message is searched for.
const MAX_DEPTH: usize = 4;

/// The members that may hold a message, the likeliest first.
const SENTENCES: [&str; 8] =
    ["message", "msg", "detail", "error", "errors", "error_description", "description", "title"];

/// The reason in the body of an error.
#[derive(Debug, Default)]
pub(super) struct Reason {
    /// A JSON error with all four of OpenAI's members.
    pub(super) openai: Option<String>,
    /// The message: one line without control characters.
    pub(super) message: Option<String>,
    /// The `type` of the error, for the log.
    pub(super) kind: Option<String>,
    /// The `code` of the error, for the log.
    pub(super) code: Option<String>,
}

impl Reason {
    /// Reads the body of an error that came with `status`. The result contains no part of the key.
    pub(super) fn read(status: StatusCode, body: &[u8], key: Option<&SecretString>) -> Self {
        let Ok(text) = std::str::from_utf8(body) else { return Self::default() };
        let text = without_key(text, key);
        let Ok(parsed) = serde_json::from_str::<Value>(&text) else { return Self::of_text(&text) };
        // An escape may hide the key from a search of the received text, but not from a search of the re-serialised text.
        let written = parsed.to_string();
        let (text, parsed) = match without_key(&written, key) {
            clean if clean == written => (text.into_owned(), parsed),
            clean => (clean.clone().into_owned(), serde_json::from_str(&clean).unwrap_or_default()),
        };
        match parsed {
            Value::Object(object) => Self::of_object(status, text, object),
            Value::String(sentence) => Self::of_text(&sentence),
            _ => Self::default(),
        }
    }

    /// Takes a body that is not JSON for a message, unless it begins like an HTML page or like JSON that broke off.
    fn of_text(text: &str) -> Self {
        let message = (!text.trim_start().starts_with(['<', '{', '['])).then(|| one_line(text)).flatten();
        Self { message, ..Self::default() }
    }

    fn of_object(status: StatusCode, text: String, mut object: Map<String, Value>) -> Self {
        let first_fault =
            ["detail", "errors"].iter().find_map(|name| object.get(*name)?.as_array()?.first()?.as_object());
        let words = object.get("error").and_then(Value::as_object).or(first_fault).unwrap_or(&object);
        let (kind, code) = (words.get("type").and_then(word), words.get("code").and_then(word));
        let message = SENTENCES.iter().find_map(|name| sentence(object.get(*name)?, 0));
        let openai = match object.get_mut("error") {
            Some(Value::Object(error)) if error.get("message").is_some_and(Value::is_string) => {
                let as_it_is = is_whole(error);
                if !as_it_is {
                    complete(error, status);
                }
                Some(if as_it_is { text } else { Value::Object(object).to_string() })
            }
            _ => None,
        };
        Self { openai, message, kind, code }
    }

    /// True if the provider refuses the gateway's key, a problem for the operator, and not the request. A good key may
    /// lack access to one model.
    pub(super) fn is_about_credentials(&self) -> bool {
        const WORDS: [&str; 5] =
            ["invalid_api_key", "authentication_error", "invalid_authentication", "unauthorized", "unauthenticated"];
        const SIGNS: [&str; 10] = [
            "api key",
            "api-key",
            "api_key",
            "apikey",
            "subscription key",
            "access token",
            "bearer",
            "credential",
            "authenticat",
            "[redacted]",
        ];
        let is_word = |word: &String| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
        let says = |message: &String| {
            let message = message.to_lowercase();
            SIGNS.iter().any(|sign| message.contains(sign))
        };
        self.kind.iter().chain(&self.code).any(is_word) || self.message.as_ref().is_some_and(says)
    }
}

/// True if an error has all members that OpenAI's SDKs read, each of the right type, and no text longer than the limit.
fn is_whole(error: &Map<String, Value>) -> bool {
    let text = |name: &str| error.get(name).is_some_and(Value::is_string);
    let text_or_null = |name: &str| error.get(name).is_some_and(|value| value.is_string() || value.is_null());
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    text("type")
        && text_or_null("param")
        && text_or_null("code")
        && one_line(message).as_deref() == Some(message.trim())
}

/// Adds the members that an error lacks.
fn complete(error: &mut Map<String, Value>, status: StatusCode) {
    let usual = match status.as_u16() {
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    let message = error.get("message").and_then(Value::as_str).and_then(one_line).unwrap_or_default();
    let text = |error: &Map<String, Value>, name: &str| match error.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let kind = text(error, "type").unwrap_or_else(|| usual.to_owned());
    let (param, code) = (text(error, "param"), text(error, "code"));
    for (name, value) in
        [("message", json!(message)), ("type", json!(kind)), ("param", json!(param)), ("code", json!(code))]
    {
        error.insert(name.to_owned(), value);
    }
}

/// Finds the message in a value: a text, an object with one, or a list of them.
fn sentence(value: &Value, depth: usize) -> Option<String> {
    if depth == MAX_DEPTH {
        return None;
    }
    match value {
        Value::String(text) => one_line(text),
        Value::Object(object) => {
            let what = SENTENCES.iter().find_map(|name| sentence(object.get(*name)?, depth + 1))?;
            let place = object.get("loc").and_then(place);
            Some(place.map_or_else(|| what.clone(), |place| format!("{place}: {what}")))
        }
        Value::Array(items) => {
            let all: Vec<_> = items.iter().filter_map(|item| sentence(item, depth + 1)).take(MAX_FAULTS).collect();
            one_line(&all.join("; "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Returns the location of a fault in FastAPI's form, `["body", "file"]`, as one word: `body.file`.
fn place(loc: &Value) -> Option<String> {
    let step = |step: &Value| match step {
        Value::String(name) => Some(name.clone()),
        Value::Number(index) => Some(index.to_string()),
        _ => None,
    };
    let steps: Vec<_> = loc.as_array()?.iter().filter_map(step).collect();
    one_line(&steps.join("."))
}

/// Shortens a text to one line of limited length; `None` if it is empty.
fn one_line(text: &str) -> Option<String> {
    let line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_CHARS).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Returns a word for the log, if the text is one.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    ((1..=MAX_WORD_CHARS).contains(&text.len()) && text.chars().all(plain)).then_some(text)
}
