//! The rules for the value of each option. A rule that depends on other options is in [`options`](super::options); a
//! rule that depends on the model is in admission.

use super::options::OptionError;
use crate::domain::terms::Format;

pub(super) fn parse_format(value: &str) -> Result<Format, OptionError> {
    value.parse().map_err(|_| OptionError::Invalid {
        name: "response_format",
        got: shown(value),
        allowed: format!(
            "Use one of {}.",
            Format::ALL.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ")
        )
        .into(),
    })
}

/// Parses `stream`. OpenAI documents `null` for "not streamed".
pub(super) fn parse_stream(value: &str) -> Result<bool, OptionError> {
    match value {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" | "null" => Ok(false),
        _ => Err(OptionError::Invalid { name: "stream", got: shown(value), allowed: "Use true or false.".into() }),
    }
}

/// Parses a language code. ISO 639-1 has two letters; ISO 639-3 codes and subtags (`pt-BR`) pass, since providers
/// differ.
pub(super) fn parse_language(name: &'static str, value: String) -> Result<String, OptionError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (2..=35).contains(&value.len()) && value.bytes().all(plain) {
        Ok(value)
    } else {
        Err(OptionError::Invalid { name, got: shown(&value), allowed: "Use an ISO 639-1 code such as 'en'.".into() })
    }
}

pub(super) fn parse_keyword(value: String) -> Result<String, OptionError> {
    if value.trim().is_empty() || value.contains(['<', '>', '\r', '\n']) {
        let allowed = "Each keyword is one line without '<' and '>'.".into();
        Err(OptionError::Invalid { name: "keywords", got: shown(&value), allowed })
    } else {
        Ok(value)
    }
}

pub(super) fn parse_temperature(value: &str) -> Result<String, OptionError> {
    match value.trim().parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(value.trim().to_owned()),
        _ => {
            let allowed = "Use a number from 0 to 1.".into();
            Err(OptionError::Invalid { name: "temperature", got: shown(value), allowed })
        }
    }
}

pub(super) fn parse_granularity(value: String) -> Result<String, OptionError> {
    if matches!(value.as_str(), "word" | "segment") {
        return Ok(value);
    }
    let allowed = "Use 'word' or 'segment'.".into();
    Err(OptionError::Invalid { name: "timestamp_granularities", got: shown(&value), allowed })
}

/// Parses the URL of a reference. Whitespace may surround a URL, and its scheme may have capitals (WHATWG URL §4.4, RFC
/// 3986 §3.1).
pub(super) fn parse_reference(value: &str) -> Result<String, OptionError> {
    let url = value.trim();
    if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        return Ok(url.to_owned());
    }
    let got = "something else".to_owned();
    Err(OptionError::Invalid { name: "known_speaker_references", got, allowed: "Each is a data: URL of audio.".into() })
}

pub(super) fn one_line(name: &'static str, value: String, max_bytes: usize) -> Result<String, OptionError> {
    if !value.is_empty() && value.len() <= max_bytes && !value.chars().any(char::is_control) {
        return Ok(value);
    }
    let allowed = "It is a short text on one line.".into();
    Err(OptionError::Invalid { name, got: shown(&value), allowed })
}

/// Checks that a member that the gateway knows is in its range. The provider checks the others.
pub(super) fn check_member(name: &str, value: &str) -> Option<()> {
    let right = match name {
        "prefix_padding_ms" | "silence_duration_ms" => value.parse::<u32>().is_ok(),
        "threshold" => value.parse::<f64>().is_ok_and(|number| (0.0..=1.0).contains(&number)),
        _ => value.len() <= 256 && !value.chars().any(char::is_control),
    };
    right.then_some(())
}

pub(super) fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// Returns the value, short, printable and in quotes, for a message.
pub(super) fn shown(value: &str) -> String {
    let short: String = value.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let more = if value.chars().nth(40).is_some() { "…" } else { "" };
    format!("'{short}{more}'")
}
