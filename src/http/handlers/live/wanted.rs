//! A live session as a client asks for it: in JSON, or in a query.

use serde_json::{Map, Value};

use crate::domain::text::printable;
use crate::http::error::{ApiError, ErrorCode};
use crate::intake::{IntakeError, Options};
use crate::speech::LiveFormat;

/// The members that a client may give.
const KNOWN: [&str; 8] =
    ["model", "language", "languages", "prompt", "keywords", "audio_format", "sample_rate", "channels"];
const MIN_RATE: u32 = 8_000;
const MAX_RATE: u32 = 48_000;
/// The maximum length of a value in an error, in characters.
const MAX_SHOWN: usize = 40;

/// A session that a client asks for.
pub(super) struct WantedSession {
    pub(super) options: Options,
    pub(super) format: LiveFormat,
}

/// The members that say what the audio is.
#[derive(Default)]
struct FormatMembers {
    audio_format: Option<String>,
    sample_rate: Option<String>,
    channels: Option<String>,
}

impl WantedSession {
    /// Parses a JSON object; an empty body is an empty one.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let members: Map<String, Value> = if body.trim_ascii().is_empty() {
            Map::new()
        } else {
            let invalid =
                |error| ApiError::new(ErrorCode::InvalidJson, format!("The body is no JSON object: {error}."));
            serde_json::from_slice(body).map_err(invalid)?
        };
        let mut pairs = Vec::new();
        for (name, value) in members {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name, text)),
                Value::Number(number) => pairs.push((name, number.to_string())),
                Value::Array(items) => {
                    for item in items {
                        let Value::String(item) = item else {
                            return Err(ApiError::invalid_parameter(&name, "it is a list of strings"));
                        };
                        pairs.push((format!("{name}[]"), item));
                    }
                }
                Value::Bool(_) | Value::Object(_) => {
                    return Err(ApiError::invalid_parameter(&name, "it is a string, a number or a list of strings"));
                }
            }
        }
        Self::from_pairs(pairs)
    }

    /// Parses a query. A parameter that is a list comes several times.
    pub(super) fn from_query(query: &str, max_bytes: usize) -> Result<Self, ApiError> {
        if query.len() > max_bytes {
            return Err(ApiError::new(ErrorCode::FieldTooLarge, format!("The query is over {max_bytes} bytes.")));
        }
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self::from_pairs(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let (mut format, mut options) = (FormatMembers::default(), Vec::new());
        for (name, value) in pairs {
            let base = name.strip_suffix("[]").unwrap_or(&name);
            if !KNOWN.contains(&base) {
                let shown = printable(base, MAX_SHOWN);
                let message = format!("Unknown parameter '{shown}'; expected one of {}.", KNOWN.join(", "));
                return Err(ApiError::new(ErrorCode::InvalidValue, message).param(&shown));
            }
            let slot = match name.as_str() {
                "audio_format" => &mut format.audio_format,
                "sample_rate" => &mut format.sample_rate,
                "channels" => &mut format.channels,
                _ => {
                    options.push((name, value));
                    continue;
                }
            };
            if !value.trim().is_empty() && slot.replace(value).is_some() {
                let message = format!("'{name}' was given more than once.");
                return Err(ApiError::new(ErrorCode::DuplicateParameter, message).param(&name));
            }
        }
        let options = Options::parse(options).map_err(IntakeError::Option)?;
        Ok(Self { options, format: format.parse()? })
    }
}

impl FormatMembers {
    fn parse(self) -> Result<LiveFormat, ApiError> {
        let Self { audio_format, sample_rate, channels } = self;
        match audio_format.as_deref().map(str::trim) {
            None | Some("auto") => {
                let given = [("sample_rate", sample_rate), ("channels", channels)];
                match given.into_iter().find(|(_, value)| value.is_some()) {
                    Some((name, _)) => {
                        Err(ApiError::invalid_parameter(name, "it goes with audio_format 'pcm16' alone"))
                    }
                    None => Ok(LiveFormat::Auto),
                }
            }
            Some("pcm16") => {
                let rate = sample_rate.ok_or_else(|| ApiError::missing_parameter("sample_rate"))?;
                let (rate, channels) = (number("sample_rate", &rate, MIN_RATE, MAX_RATE)?, channels.as_deref());
                let channels = channels.map_or(Ok(1), |channels| number("channels", channels, 1, 2))?;
                Ok(LiveFormat::Pcm16 { rate, channels: u16::try_from(channels).unwrap_or(1) })
            }
            Some(other) => {
                let shown = printable(other, MAX_SHOWN);
                Err(ApiError::invalid_parameter("audio_format", &format!("got '{shown}'; it takes 'auto' or 'pcm16'")))
            }
        }
    }
}

fn number(name: &str, value: &str, min: u32, max: u32) -> Result<u32, ApiError> {
    let parsed = value.trim().parse().ok().filter(|number| (min..=max).contains(number));
    parsed.ok_or_else(|| {
        let shown = printable(value, MAX_SHOWN);
        ApiError::invalid_parameter(name, &format!("got '{shown}'; it takes a whole number from {min} to {max}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        WantedSession::from_json(body.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn a_session_is_asked_for_in_json_or_in_a_query() {
        let json = br#"{"model":"m","keywords":["a","b"],"audio_format":"pcm16","sample_rate":16000,"channels":2}"#;
        let query = "model=m&keywords=a&keywords=b&audio_format=pcm16&sample_rate=16000&channels=2";
        for wanted in [WantedSession::from_json(json), WantedSession::from_query(query, 1000)] {
            let wanted = wanted.unwrap();
            assert_eq!(wanted.format, LiveFormat::Pcm16 { rate: 16_000, channels: 2 });
            assert_eq!(wanted.options.model.as_deref(), Some("m"));
            assert_eq!(wanted.options.keywords, ["a", "b"]);
        }
        for empty in [&b""[..], b" {} ", br#"{"audio_format":"auto","language":null}"#] {
            assert_eq!(WantedSession::from_json(empty).unwrap().format, LiveFormat::Auto);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (body, expected) in [
            (r#"{"modle":"m"}"#, "Unknown parameter 'modle'; expected one of model, language"),
            (r#"{"audio_format":"mp3"}"#, "got 'mp3'; it takes 'auto' or 'pcm16'"),
            (r#"{"audio_format":"pcm16"}"#, "'sample_rate' is required"),
            (r#"{"audio_format":"pcm16","sample_rate":7999}"#, "it takes a whole number from 8000 to 48000"),
            (r#"{"audio_format":"pcm16","sample_rate":16000,"channels":3}"#, "it takes a whole number from 1 to 2"),
            (r#"{"sample_rate":16000}"#, "it goes with audio_format 'pcm16' alone"),
            (r#"{"keywords":[1]}"#, "it is a list of strings"),
            (r#"{"language":true}"#, "it is a string, a number or a list of strings"),
            ("[]", "The body is no JSON object"),
        ] {
            assert!(error(body).contains(expected), "{body}: {}", error(body));
        }
        let twice = WantedSession::from_query("channels=1&channels=2", 1000).err().unwrap();
        assert!(twice.to_string().contains("'channels' was given more than once"));
        assert!(WantedSession::from_query("prompt=long", 5).is_err());
    }
}
