//! JSON for programs: one object. Facts that `GET /v1/usage` also returns have the same names here.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::report::{Report, sums};
use crate::ledger::{Entry, Statement, Tally, Usage};

/// Writes the report.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let object = match report {
        Report::Everyone { month, statements } => {
            let (total, open) = sums(statements);
            let subjects: Vec<_> = statements
                .iter()
                .map(|one| json!({ "subject": one.subject, "total": one.total, "open": one.open() }))
                .collect();
            json!({ "month": month, "total": total, "open": open, "subjects": subjects })
        }
        Report::One(statement) => one(statement),
        Report::Records { month, subject: None, entries } => {
            json!({ "month": month, "records": entries.iter().map(record).collect::<Vec<_>>() })
        }
        Report::Records { month, subject: Some(subject), entries } => {
            let records: Vec<_> = entries.iter().map(record).collect();
            json!({ "month": month, "subject": subject, "records": records })
        }
    };
    serde_json::to_writer_pretty(&mut *out, &object)?;
    writeln!(out)
}

fn one(statement: &Statement) -> Value {
    let rows = |name: &str, tallies: &BTreeMap<String, Tally>| -> Vec<Value> {
        let row = |(key, tally): (&String, &Tally)| json!({ name: key, "requests": tally.requests, "audio_ms": tally.audio_ms, "spent_usd": tally.spent_usd });
        tallies.iter().map(row).collect()
    };
    json!({
        "month": statement.month,
        "subject": statement.subject,
        "total": statement.total,
        "open": statement.open(),
        "by_day": rows("day", &statement.by_day),
        "by_model": rows("model", &statement.by_model),
    })
}

fn record(entry: &Entry) -> Value {
    let usage = entry.usage.map(|usage| match usage {
        Usage::Tokens { input, output } => json!({ "input_tokens": input, "output_tokens": output }),
        Usage::Length(length) => json!({ "audio_ms": length }),
    });
    json!({
        "at": entry.at.to_string(),
        "request_id": entry.info.request_id,
        "subject": entry.subject,
        "plan": entry.info.plan,
        "model": entry.info.model,
        "provider": entry.info.provider,
        "audio_ms": entry.audio,
        "pieces": entry.info.pieces,
        "attempts": entry.info.attempts,
        "usage": usage,
        "estimate_usd": entry.estimate.usd,
        "cost_usd": entry.cost.usd,
        "charged_audio_ms": entry.cost.audio,
        "ending": entry.ending,
    })
}
