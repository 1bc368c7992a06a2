//! Tables for people at a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::grid::Side::{Left, Right};
use super::grid::{Grid, plain};
use super::report::{Report, sums};
use crate::domain::{AudioMs, Month, NanoUsd};
use crate::ledger::{Entry, Statement, Tally, Usage};

const OPEN: &str =
    "Open requests are not settled, and charged at their estimates: they are in flight, or their gateway died.\n";

/// Writes the report, or nothing if it is empty.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.nothing().is_some() {
        return Ok(());
    }
    match report {
        Report::Everyone { month, statements } => everyone(*month, statements, out),
        Report::One(statement) => one(statement, out),
        Report::Records { month, subject, entries } => {
            let whose = subject.as_ref().map(|subject| format!(" of {}", plain(subject.as_str()))).unwrap_or_default();
            write!(out, "Requests{whose} in {month} (UTC)\n\n{}", records(entries))
        }
    }
}

fn everyone(month: Month, statements: &[Statement], out: &mut dyn Write) -> io::Result<()> {
    let mut grid = Grid::new([Left, Right, Right, Right, Right, Right]);
    grid.head(["SUBJECT", "REQUESTS", "AUDIO", "SPENT USD", "OPEN", "OPEN USD"]);
    for statement in statements {
        grid.row(account(statement.subject.to_string(), statement.total, statement.open()));
    }
    grid.rule();
    let (total, open) = sums(statements);
    grid.row(account("TOTAL".to_owned(), total, open));
    write!(out, "Usage in {month} (UTC)\n\n{grid}")?;
    if open != Tally::default() {
        write!(out, "\n{OPEN}To list them: voxgate usage --month {month} --records\n")?;
    }
    Ok(())
}

fn account(name: String, total: Tally, open: Tally) -> [String; 6] {
    let [requests, audio, spent] = numbers(total);
    let [open_requests, open_usd] = if open == Tally::default() {
        // Dashes for zero make open amounts stand out.
        ["-", "-"].map(str::to_owned)
    } else {
        [open.requests.to_string(), usd(open.spent_usd)]
    };
    [name, requests, audio, spent, open_requests, open_usd]
}

fn one(statement: &Statement, out: &mut dyn Write) -> io::Result<()> {
    let Statement { subject, month, total, by_day, by_model } = statement;
    let mut grid = Grid::new([Left, Right, Right, Right]);
    let open = statement.open();
    grid.head(["", "REQUESTS", "AUDIO", "SPENT USD"]);
    add(&mut grid, "Total", *total);
    add(&mut grid, "Of that open", open);
    // Both tables are empty until a request is settled.
    for (heading, tallies) in [("BY DAY", by_day), ("BY MODEL", by_model)].into_iter().filter(|(_, t)| !t.is_empty()) {
        section(&mut grid, heading, tallies);
    }
    write!(out, "Usage of {} in {month} (UTC)\n\n{grid}", plain(subject.as_str()))?;
    if open != Tally::default() {
        write!(out, "\n{OPEN}They are not among the days and models yet.\n")?;
    }
    Ok(())
}

fn section(grid: &mut Grid<4>, heading: &str, tallies: &BTreeMap<String, Tally>) {
    grid.gap();
    grid.head([heading, "REQUESTS", "AUDIO", "SPENT USD"]);
    for (name, tally) in tallies {
        add(grid, name, *tally);
    }
}

fn add(grid: &mut Grid<4>, name: &str, tally: Tally) {
    let [requests, audio, spent] = numbers(tally);
    grid.row([name.to_owned(), requests, audio, spent]);
}

/// Builds the table of requests. The ending is near the front, so that a narrow terminal still shows it.
fn records(entries: &[Entry]) -> Grid<11> {
    let sides = [Left, Left, Left, Left, Right, Right, Right, Right, Left, Left, Left];
    let mut grid = Grid::new(sides);
    grid.head([
        "ADMITTED",
        "ENDING",
        "SUBJECT",
        "MODEL",
        "AUDIO S",
        "USAGE",
        "ESTIMATE USD",
        "COST USD",
        "PLAN",
        "PROVIDER",
        "REQUEST ID",
    ]);
    for Entry { at, subject, info, audio, estimate, cost, usage, ending, .. } in entries {
        grid.row([
            at.to_string().chars().take("2026-11-24T21:13:24".len()).map(|c| if c == 'T' { ' ' } else { c }).collect(),
            ending.to_string(),
            subject.to_string(),
            info.model.clone(),
            audio.to_string(),
            reported(*usage),
            usd(estimate.usd),
            usd(cost.usd),
            info.plan.clone(),
            info.provider.clone(),
            info.request_id.clone(),
        ]);
    }
    grid
}

fn reported(usage: Option<Usage>) -> String {
    match usage {
        Some(Usage::Tokens { input, output }) => format!("{input} + {output} tokens"),
        Some(Usage::Length(length)) => format!("{length} s"),
        None => "-".to_owned(),
    }
}

fn numbers(tally: Tally) -> [String; 3] {
    [tally.requests.to_string(), clock(tally.audio_ms), usd(tally.spent_usd)]
}

/// Formats a length as `1:02:03`. Rounds up to a whole second, so that a small amount does not look like none.
fn clock(length: AudioMs) -> String {
    let seconds = length.get().div_ceil(1000);
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Formats dollars with six decimals, so that the points align. Rounds up, so that a small amount does not look like
/// none.
fn usd(amount: NanoUsd) -> String {
    let millionths = amount.get().div_ceil(1000);
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}
