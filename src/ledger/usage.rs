//! Usage reports: the `usage` of an answer, or of a stream's last event.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::text::without_byte_order_mark;
use crate::domain::{AudioMs, Length};

/// Usage as the provider reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Usage {
    /// A number of tokens.
    Tokens {
        /// The tokens of audio and prompt.
        input: u64,
        /// The tokens of the transcript.
        output: u64,
    },
    /// A length of audio.
    Length(AudioMs),
}

/// The members that the gateway reads. The parser skips the rest of the answer without storing it.
#[derive(Deserialize)]
struct Answer {
    usage: Option<Reported>,
    duration: Option<Value>,
}

/// The maximum of a credible report: a week of audio, or more tokens than any model accepts.
const MOST_MS: u64 = 7 * 24 * 3_600_000;
const MOST_TOKENS: u64 = 100_000_000;

/// The members of `usage`. Each is parsed separately, so that an invalid one does not invalidate the others.
type Reported = serde_json::Map<String, Value>;

/// Reads a count; some servers write `5.0`.
fn count(reported: &Reported, name: &str) -> Option<u64> {
    let value = reported.get(name)?;
    let whole = || value.as_f64().filter(|number| number.fract() == 0.0).map(|number| format!("{number:.0}"));
    value.as_u64().or_else(|| whole()?.parse().ok())
}

/// The report in one answer or one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// The valid `usage`, if there is one.
    pub usage: Option<Usage>,
    /// The `duration` of a verbose answer: the audio's length as measured by the provider.
    pub duration: Option<AudioMs>,
}

impl Report {
    /// Parses the report in a JSON answer or event.
    pub fn of_json(json: &[u8]) -> Self {
        let json = without_byte_order_mark(json);
        let Ok(answer) = serde_json::from_slice::<Answer>(json) else { return Self::default() };
        let duration = answer.duration.and_then(|duration| match duration {
            Value::String(text) => text.parse().ok(),
            number => number.as_f64(),
        });
        Self { usage: answer.usage.and_then(|reported| usage(&reported)), duration: duration.and_then(length) }
    }

    /// Returns this report, with missing parts taken from `earlier`.
    #[must_use]
    pub fn or(self, earlier: Self) -> Self {
        Self { usage: self.usage.or(earlier.usage), duration: self.duration.or(earlier.duration) }
    }

    /// Returns the usage to charge for audio of length `measured`; `None` if the report contains nothing credible.
    ///
    /// A report is credible up to twice the measured length plus a minute: providers round up and count silence that is
    /// not measured here, but a greater difference is a mistake. `costs_no_more_than` is true if tokens cost no more
    /// than audio of the given length. If the usage is missing and the gateway knows only a bound, the length of a
    /// verbose answer replaces it.
    pub fn believed(self, measured: Length, costs_no_more_than: impl FnOnce(Usage, AudioMs) -> bool) -> Option<Usage> {
        let upper = measured.upper_bound();
        let longest = upper.saturating_add(upper).saturating_add(AudioMs::new(60_000));
        let instead = || self.duration.filter(|_| measured.measured().is_none()).map(Usage::Length);
        self.usage.or_else(instead).filter(|usage| match usage {
            Usage::Length(length) => *length <= longest,
            Usage::Tokens { .. } => costs_no_more_than(*usage, longest),
        })
    }
}

/// Parses the usage in `reported`.
fn usage(reported: &Reported) -> Option<Usage> {
    // Mistral also reports tokens, but bills the seconds.
    if let Some(seconds) = reported.get("prompt_audio_seconds").and_then(Value::as_f64) {
        return length(seconds).map(Usage::Length);
    }
    let output = count(reported, "output_tokens").unwrap_or(0);
    let rest = || count(reported, "total_tokens").map(|total| total.saturating_sub(output));
    // The members decide, not `type`, which providers that copy the format leave out.
    if let Some(input) = count(reported, "input_tokens").or_else(rest) {
        return (input.max(output) <= MOST_TOKENS).then_some(Usage::Tokens { input, output });
    }
    length(reported.get("seconds")?.as_f64()?).map(Usage::Length)
}

fn length(seconds: f64) -> Option<AudioMs> {
    let length = Duration::try_from_secs_f64(seconds).ok()?;
    let ms = length.as_millis().try_into().ok().filter(|ms| *ms <= MOST_MS)?;
    Some(AudioMs::new(ms))
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
            assert_eq!(Report::of_json(json.as_bytes()).usage, usage, "{json}");
        }
    }

    #[test]
    fn a_report_is_believed_up_to_twice_the_length_and_a_minute() {
        let seconds = |seconds: u64| AudioMs::new(seconds * 1000);
        let measured = Length::Measured(seconds(10));
        let believed = |usage| Report { usage: Some(usage), duration: None }.believed(measured, |_, _| false);
        for (reported, is_believed) in [(0, true), (10, true), (80, true), (81, false), (604_799, false)] {
            let usage = Usage::Length(seconds(reported));
            assert_eq!(believed(usage), is_believed.then_some(usage), "{reported} s");
        }
        assert_eq!(believed(Usage::Tokens { input: 1, output: 1 }), None);
        let longest = Report { usage: Some(Usage::Tokens { input: 1, output: 1 }), duration: None };
        longest.believed(measured, |_, longest| longest == seconds(80)).unwrap();
    }

    #[test]
    fn the_duration_of_a_verbose_answer_corrects_a_bound_and_nothing_else() {
        for json in [r#"{"duration": 9.5}"#, r#"{"duration": "9.5"}"#] {
            let report = Report::of_json(json.as_bytes());
            let believed = |length| report.believed(length, |_, _| true);
            assert_eq!(believed(Length::AtMost(AudioMs::new(90_000))), Some(Usage::Length(AudioMs::new(9_500))));
            assert_eq!(believed(Length::Measured(AudioMs::new(9_000))), None);
            assert_eq!(believed(Length::AtMost(AudioMs::new(0))), Some(Usage::Length(AudioMs::new(9_500))));
        }
        let both = Report::of_json(br#"{"duration": 9.5, "usage": {"seconds": 8}}"#);
        let bound = Length::AtMost(AudioMs::new(90_000));
        assert_eq!(both.believed(bound, |_, _| true), Some(Usage::Length(AudioMs::new(8_000))));
    }
}
