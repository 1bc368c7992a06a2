//! The part of a transcript in the error of a recording that was not transcribed whole.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::TranscribeError;
use super::heard::Heard;
use super::refusal::Refusal;
use crate::domain::terms::Format;

/// The largest number of missing parts that a message names, and the latest second that a recording can have.
const MAX_SHOWN: usize = 10;
const MAX_SECOND: f64 = 1e7;

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

/// The part of a recording that was transcribed.
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
    let (refusal, heard) = (Box::new(refusal), Heard::from_body(heard.as_bytes()));
    TranscribeError::Incomplete { refusal, heard, missing: describe(&missing) }
}

/// Describes the missing parts for people. A gateway may name as many as it likes, of any length.
fn describe(missing: &[Missing]) -> String {
    let seconds = 0.0..=MAX_SECOND;
    let round = |second: f64| (second * 100.0).round() / 100.0;
    let sound = missing.iter().filter(|Missing { start, end }| seconds.contains(start) && seconds.contains(end));
    let parts = sound.clone().take(MAX_SHOWN).map(|part| format!("{} s to {} s", round(part.start), round(part.end)));
    let mut shown = parts.collect::<Vec<_>>().join(", ");
    let more = missing.len().saturating_sub(sound.take(MAX_SHOWN).count());
    if shown.is_empty() {
        return "a part that the gateway does not name".to_owned();
    }
    if more > 0 {
        shown = format!("{shown} and {more} more");
    }
    shown
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

    #[test]
    fn a_list_of_missing_parts_stays_short() {
        let many: Vec<_> = (0..5000).map(|_| Missing { start: 0.123_456, end: 1.0 }).collect();
        let shown = describe(&many);
        assert!(shown.starts_with("0.12 s to 1 s, ") && shown.ends_with(" and 4990 more"), "{shown}");
        let mad = [f64::MAX, f64::NAN, -1.0].map(|end| Missing { start: 0.0, end });
        assert_eq!(describe(&mad), "a part that the gateway does not name");
    }
}
