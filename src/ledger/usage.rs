//! `usage` of an answer or of a stream's last event.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::AudioMs;

/// What the provider says that it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// A report of more than this is a mistake: a week of audio, or as many tokens as no model takes.
const MOST_MS: u64 = 7 * 24 * 3_600_000;
const MOST_TOKENS: u64 = 100_000_000;

/// Each member is read by itself: one that makes no sense takes none of the others with it.
type Reported = serde_json::Map<String, Value>;

/// A count; some servers write `5.0`.
fn count(reported: &Reported, name: &str) -> Option<u64> {
    let value = reported.get(name)?;
    let whole = || value.as_f64().filter(|number| number.fract() == 0.0).map(|number| format!("{number:.0}"));
    value.as_u64().or_else(|| whole()?.parse().ok())
}

impl Usage {
    /// The usage in a JSON answer or event; `None` where it has none that makes sense.
    pub fn of_json(json: &[u8]) -> Option<Self> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let reported = serde_json::from_slice::<Answer>(json).ok()?.usage?;
        // Mistral counts tokens as well, and bills the seconds.
        if let Some(seconds) = reported.get("prompt_audio_seconds").and_then(Value::as_f64) {
            return length(seconds);
        }
        let output = count(&reported, "output_tokens").unwrap_or(0);
        let rest = || count(&reported, "total_tokens").map(|total| total.saturating_sub(output));
        // The members decide, not `type`: providers that copy the format leave it out.
        if let Some(input) = count(&reported, "input_tokens").or_else(rest) {
            return (input.max(output) <= MOST_TOKENS).then_some(Self::Tokens { input, output });
        }
        length(reported.get("seconds")?.as_f64()?)
    }
}

fn length(seconds: f64) -> Option<Usage> {
    let length = Duration::try_from_secs_f64(seconds).ok()?;
    let ms = length.as_millis().try_into().ok().filter(|ms| *ms <= MOST_MS)?;
    Some(Usage::Length(AudioMs::new(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_in_either_form_and_nonsense_is_none() {
        let tokens = Usage::Tokens { input: 14, output: 45 };
        let cases: [(&str, Option<Usage>); 16] = [
            (r#"{"usage":{"input_tokens":14.0,"output_tokens":45}}"#, Some(tokens)),
            (r#"{"usage":{"output_tokens":45,"total_tokens":59}}"#, Some(tokens)),
            (r#"{"usage":{"seconds":3,"output_tokens":"n/a"}}"#, Some(Usage::Length(AudioMs::new(3000)))),
            ("\u{feff}{\"usage\":{\"seconds\":3}}", Some(Usage::Length(AudioMs::new(3000)))),
            (r#"{"text":"x","usage":{"type":"tokens","input_tokens":14,"output_tokens":45}}"#, Some(tokens)),
            (r#"{"usage":{"input_tokens":14,"output_tokens":45,"total_tokens":59}}"#, Some(tokens)),
            (r#"{"usage":{"type":"duration","seconds":3}}"#, Some(Usage::Length(AudioMs::new(3000)))),
            (r#"{"usage":{"type":"duration","seconds":2.5}}"#, Some(Usage::Length(AudioMs::new(2500)))),
            (r#"{"usage":{"type":"duration","seconds":-1}}"#, None),
            (r#"{"usage":{"type":"duration","seconds":1e16}}"#, None),
            (r#"{"usage":{"input_tokens":1000000000000,"output_tokens":45}}"#, None),
            (
                r#"{"usage":{"prompt_audio_seconds":3,"prompt_tokens":4,"total_tokens":9}}"#,
                Some(Usage::Length(AudioMs::new(3000))),
            ),
            (
                r#"{"usage":{"prompt_audio_seconds":null,"total_tokens":9}}"#,
                Some(Usage::Tokens { input: 9, output: 0 }),
            ),
            (r#"{"usage":null}"#, None),
            (r#"{"text":"no usage"}"#, None),
            ("1\n00:00:00,000 --> 00:00:01,000\nsubtitles\n", None),
        ];
        for (json, usage) in cases {
            assert_eq!(Usage::of_json(json.as_bytes()), usage, "{json}");
        }
    }
}
