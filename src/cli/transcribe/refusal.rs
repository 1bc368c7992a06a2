//! The errors of a gateway.

use std::fmt;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::domain::text::printable;

/// The header that names a request in the gateway's log.
const REQUEST_ID: &str = "x-request-id";

/// The longest message and the longest code that are shown, in characters.
const MAX_SHOWN_MESSAGE: usize = 1000;
const MAX_SHOWN_CODE: usize = 100;

/// An error of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status; none for an error in a stream.
    pub(super) status: Option<u16>,
    /// The error's code.
    pub(super) code: Option<String>,
    /// The error's message, on one line.
    pub(super) message: Option<String>,
    /// The id by which the gateway's log has the request.
    pub(super) request_id: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, "{code}")?,
            (None, Some(status)) => write!(f, "the gateway answered with status {status}")?,
            (None, None) => write!(f, "the gateway reported an error")?,
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl Refusal {
    /// Reads the error in the body of an answer, or in an event.
    pub(super) fn read(body: &[u8], status: Option<StatusCode>, headers: &HeaderMap) -> Self {
        let error = serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error).unwrap_or_default();
        let word = |value: &Option<Value>| match value {
            Some(Value::String(text)) if !text.is_empty() => Some(printable(text, MAX_SHOWN_CODE)),
            _ => None,
        };
        let message = error.message.filter(|message| !message.is_empty()).map(|message| {
            let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
            printable(&line, MAX_SHOWN_MESSAGE)
        });
        let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        Self {
            status: status.map(|status| status.as_u16()),
            code: word(&error.code).or_else(|| word(&error.kind)),
            message: message.or_else(|| redirect(status?, headers)),
            request_id: request_id.map(|id| printable(id, MAX_SHOWN_CODE)),
        }
    }
}

/// Explains a redirect. It is not followed: the token would go elsewhere.
fn redirect(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION).filter(|_| status.is_redirection())?.to_str().ok()?;
    let origin = Url::parse(location).ok()?.origin().ascii_serialization();
    Some(format!("it redirects to {origin}, which is not followed; use that address if it is the gateway's"))
}

/// An error in OpenAI's shape.
#[derive(Deserialize)]
struct Envelope {
    error: ErrorObject,
}

#[derive(Deserialize, Default)]
struct ErrorObject {
    message: Option<String>,
    code: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_code_message_and_request() {
        let text = |text: &str| Some(text.to_owned());
        let refusal =
            Refusal { status: Some(401), code: text("invalid_token"), message: text("No."), request_id: text("abc") };
        assert_eq!(refusal.to_string(), "invalid_token: No. (request abc)");
        let bare = Refusal { code: None, message: None, request_id: None, ..refusal };
        assert_eq!(bare.to_string(), "the gateway answered with status 401");
    }

    #[test]
    fn a_redirect_says_where_to_and_a_page_says_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, "https://voxgate.example.com/v1/models?secret".parse().unwrap());
        let refusal = Refusal::read(b"<html>", Some(StatusCode::MOVED_PERMANENTLY), &headers).to_string();
        assert!(refusal.contains("301") && refusal.contains("https://voxgate.example.com,"), "{refusal}");
        assert!(!refusal.contains("secret") && !refusal.contains("html"), "{refusal}");
    }
}
