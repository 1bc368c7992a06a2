//! The part of a transcript in the error of a recording that was not transcribed whole.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::TranscribeError;
use super::heard::Heard;
use super::refusal::Refusal;
use crate::domain::terms::Format;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: ErrorObject<'a>,
}

#[derive(Deserialize)]
struct ErrorObject<'a> {
    #[serde(borrow)]
    partial: &'a RawValue,
}

/// What was heard of a recording.
#[derive(Deserialize)]
struct Partial {
    text: String,
    #[serde(default)]
    missing: Vec<Missing>,
}

/// A part of the recording that was not heard, in seconds.
#[derive(Deserialize)]
struct Missing {
    start: f64,
    end: f64,
}

/// Returns the error of a request that was refused with this body: with what was heard, if the body has it, in the format
/// that was asked for.
pub(super) fn error_with_part(refusal: Refusal, body: &[u8], format: Format) -> TranscribeError {
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok();
    let partial = envelope.and_then(|envelope| {
        let raw = envelope.error.partial.get();
        Some((raw, serde_json::from_str::<Partial>(raw).ok()?))
    });
    let Some((raw, Partial { text, missing })) = partial else { return TranscribeError::Refused(Box::new(refusal)) };
    let heard = if format.is_json() { raw } else { &text };
    let missing: Vec<_> = missing.iter().map(|Missing { start, end }| format!("{start} s to {end} s")).collect();
    let (refusal, heard) = (Box::new(refusal), Heard::from_body(heard.as_bytes()));
    TranscribeError::Incomplete { refusal, heard, missing: missing.join(", ") }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn what_was_heard_is_taken_out_of_an_error() {
        let body = br#"{"error":{"message":"Not\ncomplete.","type":"server_error","code":"transcript_incomplete",
            "partial":{"text":"Good morning.","missing":[{"start":301.26,"end":3600.0}]}}}"#;
        let refusal = Refusal::read(body, None, &HeaderMap::new());
        let TranscribeError::Incomplete { refusal, heard, missing } = error_with_part(refusal, body, Format::Text)
        else {
            panic!("it has no part")
        };
        assert_eq!(refusal.to_string(), "transcript_incomplete: Not complete.");
        assert_eq!((heard.0.as_slice(), missing.as_str()), (b"Good morning.\n".as_slice(), "301.26 s to 3600 s"));
        assert!(!format!("{heard:?}").contains("Good"));
    }
}
