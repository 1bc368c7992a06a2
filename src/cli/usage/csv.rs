//! CSV for spreadsheets, as in RFC 4180, with a header line. Money is in dollars with a decimal point, audio in
//! milliseconds.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::report::Report;
use crate::domain::AudioMs;
use crate::ledger::{Entry, Sheet, Statement, Tally, Usage, tally_cells};

/// Writes the report.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut sheet = Sheet::new(out);
    match report {
        Report::Everyone { statements, .. } => everyone(statements, &mut sheet)?,
        Report::One(statement) => one(statement, &mut sheet)?,
        Report::Records { entries, .. } => records(entries, &mut sheet)?,
    }
    sheet.flush()
}

fn everyone(statements: &[Statement], sheet: &mut Sheet<&mut dyn Write>) -> io::Result<()> {
    sheet.head(["subject", "requests", "audio_ms", "spent_usd", "open_requests", "open_audio_ms", "open_usd"])?;
    for statement in statements {
        let [requests, audio, spent] = tally_cells(statement.total);
        let [open_requests, open_audio, open_usd] = tally_cells(statement.open());
        sheet.row([statement.subject.to_string(), requests, audio, spent, open_requests, open_audio, open_usd])?;
    }
    Ok(())
}

/// Writes one caller's usage as a single sheet. The first column names the kind of each line.
fn one(statement: &Statement, sheet: &mut Sheet<&mut dyn Write>) -> io::Result<()> {
    sheet.head(["part", "name", "requests", "audio_ms", "spent_usd"])?;
    let mut line = |part: &str, name: &str, tally: Tally| {
        let [requests, audio, spent] = tally_cells(tally);
        sheet.row([part.to_owned(), name.to_owned(), requests, audio, spent])
    };
    line("total", "", statement.total)?;
    line("open", "", statement.open())?;
    let mut lines = |part: &str, tallies: &BTreeMap<String, Tally>| {
        tallies.iter().try_for_each(|(name, tally)| line(part, name, *tally))
    };
    lines("day", &statement.by_day)?;
    lines("model", &statement.by_model)
}

fn records(entries: &[Entry], sheet: &mut Sheet<&mut dyn Write>) -> io::Result<()> {
    sheet.head([
        "at",
        "request_id",
        "subject",
        "plan",
        "model",
        "provider",
        "audio_ms",
        "input_tokens",
        "output_tokens",
        "reported_audio_ms",
        "estimate_usd",
        "cost_usd",
        "charged_audio_ms",
        "ending",
    ])?;
    for Entry { at, subject, info, audio, estimate, cost, usage, ending, .. } in entries {
        let [input, output, reported] = match *usage {
            Some(Usage::Tokens { input, output }) => [input.to_string(), output.to_string(), String::new()],
            Some(Usage::Length(length)) => [String::new(), String::new(), ms(length)],
            None => [const { String::new() }; 3],
        };
        sheet.row([
            at.to_string(),
            info.request_id.clone(),
            subject.to_string(),
            info.plan.clone(),
            info.model.clone(),
            info.provider.clone(),
            ms(*audio),
            input,
            output,
            reported,
            estimate.usd.to_string(),
            cost.usd.to_string(),
            ms(cost.audio),
            ending.to_string(),
        ])?;
    }
    Ok(())
}

fn ms(length: AudioMs) -> String {
    length.get().to_string()
}
