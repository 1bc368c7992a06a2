//! `usage` of an answer or of a stream's last event.

use std::time::Duration;

use serde::Deserialize;

use crate::units::AudioMs;

/// What the provider says that it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// It counts tokens.
    Tokens {
        /// Audio and prompt.
        input: u64,
        /// The transcript.
        output: u64,
    },
    /// It counts the length of the audio.
    Length(AudioMs),
}

/// The one member that is read. The rest of an answer is passed over without being kept.
#[derive(Deserialize)]
struct Answer {
    usage: Option<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    seconds: Option<f64>,
}

impl Usage {
    /// The usage in a JSON answer or event; `None` where it has none that makes sense.
    pub fn of_json(json: &[u8]) -> Option<Self> {
        let reported = serde_json::from_slice::<Answer>(json).ok()?.usage?;
        // The members decide, not `type`: providers that copy the format leave it out.
        match (reported.input_tokens, reported.output_tokens, reported.seconds) {
            (Some(input), output, _) => Some(Self::Tokens { input, output: output.unwrap_or(0) }),
            (None, _, Some(seconds)) => {
                let length = Duration::try_from_secs_f64(seconds).ok()?;
                Some(Self::Length(AudioMs::new(length.as_millis().try_into().ok()?)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_in_either_form_and_nonsense_is_none() {
        let tokens = Usage::Tokens { input: 14, output: 45 };
        let cases: [(&str, Option<Usage>); 8] = [
            (r#"{"text":"x","usage":{"type":"tokens","input_tokens":14,"output_tokens":45}}"#, Some(tokens)),
            (r#"{"usage":{"input_tokens":14,"output_tokens":45,"total_tokens":59}}"#, Some(tokens)),
            (r#"{"usage":{"type":"duration","seconds":3}}"#, Some(Usage::Length(AudioMs::new(3000)))),
            (r#"{"usage":{"type":"duration","seconds":2.5}}"#, Some(Usage::Length(AudioMs::new(2500)))),
            (r#"{"usage":{"type":"duration","seconds":-1}}"#, None),
            (r#"{"usage":null}"#, None),
            (r#"{"text":"no usage"}"#, None),
            ("1\n00:00:00,000 --> 00:00:01,000\nsubtitles\n", None),
        ];
        for (json, usage) in cases {
            assert_eq!(Usage::of_json(json.as_bytes()), usage, "{json}");
        }
    }
}
