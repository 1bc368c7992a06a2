//! The sum of the pieces' usage.

use serde_json::{Map, Number, Value, json};

use super::members::Members;
use super::times::seconds;
use crate::domain::AudioMs;
use crate::ledger::{Report, Usage};
use crate::speech::Samples;

/// The sum of what the provider reported for the pieces.
#[derive(Default)]
pub(super) struct UsageSum {
    /// The sum of the reports, member by member; `None` if they are not all of one kind.
    reported: Option<Map<String, Value>>,
    pieces: u64,
    /// The number of pieces with a report in tokens, and with one in seconds.
    in_tokens: u64,
    in_seconds: u64,
    input: u64,
    output: u64,
    /// The reported seconds. A piece without them counts with its length.
    length: AudioMs,
}

impl UsageSum {
    /// Adds the report of a piece in `json`, whose members are `answer`; a text has no report.
    pub(super) fn add(&mut self, piece: Samples, report: Report, answer: Option<&Members<'_>>) {
        let mut length = piece.audio_ms();
        match report.usage {
            Some(Usage::Tokens { input, output }) => {
                self.in_tokens += 1;
                self.input = self.input.saturating_add(input);
                self.output = self.output.saturating_add(output);
            }
            Some(Usage::Length(reported)) => {
                self.in_seconds += 1;
                length = reported;
            }
            None => {}
        }
        self.length = self.length.saturating_add(length);
        let members = answer.and_then(|answer| serde_json::from_str::<Map<_, _>>(answer.get("usage")?.get()).ok());
        self.reported = match (self.reported.take(), members) {
            (None, members) if self.pieces == 0 => members,
            (Some(sum), Some(members)) => Some(sum_of(&sum, &members)),
            _ => None,
        };
        self.pieces += 1;
    }

    /// Returns the sum: tokens if every piece has reported tokens, seconds otherwise.
    pub(super) fn total(&self) -> Usage {
        if self.pieces > 0 && self.in_tokens == self.pieces {
            Usage::Tokens { input: self.input, output: self.output }
        } else {
            Usage::Length(self.length)
        }
    }

    /// Returns the value of `usage`; `None` if there were pieces but no report.
    pub(super) fn json(&self) -> Option<String> {
        let reports = self.in_tokens + self.in_seconds;
        if reports == 0 && self.pieces > 0 {
            return None;
        }
        let is_one_kind = self.in_tokens == self.pieces || self.in_seconds == self.pieces;
        let whole = self.length.get().is_multiple_of(1000);
        let length = if whole { (self.length.get() / 1000).to_string() } else { seconds(self.length) };
        let stated = self.reported.as_ref().filter(|_| is_one_kind).map(|reported| json!(reported).to_string());
        Some(stated.unwrap_or_else(|| format!(r#"{{"type":"duration","seconds":{length}}}"#)))
    }
}

/// Adds numbers, and the numbers in objects. What only one of the two has, or what differs, is left out.
fn sum_of(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut sum = Map::new();
    for (name, value) in one {
        let added = match (value, other.get(name)) {
            (Value::Number(one), Some(Value::Number(other))) => added(one, other).map(Value::Number),
            (Value::Object(one), Some(Value::Object(other))) => Some(Value::Object(sum_of(one, other))),
            (one, Some(other)) if one == other => Some(one.clone()),
            _ => None,
        };
        if let Some(added) = added {
            sum.insert(name.clone(), added);
        }
    }
    sum
}

fn added(one: &Number, other: &Number) -> Option<Number> {
    if let (Some(one), Some(other)) = (one.as_u64(), other.as_u64()) {
        return one.checked_add(other).map(Number::from);
    }
    // Rounded to thousandths: sums of binary fractions would show digits that no report had.
    Number::from_f64(((one.as_f64()? + other.as_f64()?) * 1000.0).round() / 1000.0)
}
