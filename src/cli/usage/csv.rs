//! CSV for spreadsheets, as in RFC 4180, with a header line. Money is in dollars with a decimal point, audio in
//! milliseconds.

use std::collections::BTreeMap;
use std::io::{self, Write};

use ::csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use super::report::Report;
use crate::domain::AudioMs;
use crate::ledger::{Entry, Statement, Tally, Usage};

/// Writes the report.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut sheet = Sheet::new(out);
    match report {
        Report::Everyone { statements, .. } => everyone(statements, &mut sheet)?,
        Report::One(statement) => one(statement, &mut sheet)?,
        Report::Records { entries, .. } => records(entries, &mut sheet)?,
    }
    sheet.0.flush()
}

fn everyone(statements: &[Statement], sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.head(["subject", "requests", "audio_ms", "spent_usd", "open_requests", "open_audio_ms", "open_usd"])?;
    for statement in statements {
        let [requests, audio, spent] = numbers(statement.total);
        let [open_requests, open_audio, open_usd] = numbers(statement.open());
        sheet.row([statement.subject.to_string(), requests, audio, spent, open_requests, open_audio, open_usd])?;
    }
    Ok(())
}

/// Writes one caller's usage as a single sheet. The first column names the kind of each line.
fn one(statement: &Statement, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.head(["part", "name", "requests", "audio_ms", "spent_usd"])?;
    let mut line = |part: &str, name: &str, tally: Tally| {
        let [requests, audio, spent] = numbers(tally);
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

fn records(entries: &[Entry], sheet: &mut Sheet<'_>) -> io::Result<()> {
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

fn numbers(tally: Tally) -> [String; 3] {
    [tally.requests.to_string(), ms(tally.audio_ms), tally.spent_usd.to_string()]
}

fn ms(length: AudioMs) -> String {
    length.get().to_string()
}

struct Sheet<'a>(Writer<&'a mut dyn Write>);

impl<'a> Sheet<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        let mut builder = WriterBuilder::new();
        // Quote every text: where semicolons separate the cells, a spreadsheet splits an unquoted text at them.
        Self(builder.terminator(Terminator::CRLF).quote_style(QuoteStyle::NonNumeric).from_writer(out))
    }

    fn head<const N: usize>(&mut self, names: [&str; N]) -> io::Result<()> {
        Ok(self.0.write_record(names)?)
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) -> io::Result<()> {
        Ok(self.0.write_record(cells.map(harmless))?)
    }
}

/// Makes a cell harmless for spreadsheets, which run a cell that begins like a formula (OWASP, "CSV Injection").
/// The names of subjects and models come from outside. A leading apostrophe makes the cell a text; no number here begins
/// like a formula. JSON has the names unchanged.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_cell_and_no_formula() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out);
        let names = ["alice", "a,\"b\"", "a;=1+1", "=1+1", "+49 30", "-1", "@SUM(A1)", "\u{ff1d}1", "a=b", "0.0045"];
        sheet.row(names.map(str::to_owned)).unwrap();
        sheet.0.flush().unwrap();
        drop(sheet);
        let line = "\"alice\",\"a,\"\"b\"\"\",\"a;=1+1\",\"'=1+1\",\"'+49 30\",\"'-1\",\"'@SUM(A1)\",\"'\u{ff1d}1\",\"a=b\",0.0045\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }
}
