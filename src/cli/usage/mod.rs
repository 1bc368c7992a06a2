//! `voxgate usage`: callers' usage in a month, for the operator.

mod csv;
mod grid;
mod json;
mod report;
mod table;

use std::path::absolute;

use clap::{Args, ValueEnum};

use super::output::{Failure, print, print_remark};
use crate::config::{self, Namespace, Problems, Settings};
use crate::domain::{Month, Subject, UnixMs};
use crate::store::{LedgerReader, StoreError};
use report::Report;

const NOTES: &str = "\
It reads what the gateways of the same settings wrote, from Redis or from the data directory, and may be run beside them.

Open requests are not settled, and charged at their estimates: they are in flight, or the gateway that worked on them \
died. They are part of what is spent.

Single requests are kept for ledger.keep_days [62]; what a month came to is kept for longer.";

/// Arguments of `voxgate usage`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Usage {
    /// Show only this caller, by day and by model
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<Subject>,
    /// The month, in UTC, such as 2026-11 [default: this month]
    #[arg(long, value_name = "MONTH")]
    month: Option<Month>,
    /// List single requests, including open ones
    #[arg(long)]
    records: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Columns for people; money is rounded up to a millionth of a dollar
    #[default]
    Table,
    /// For spreadsheets: a name that looks like a formula (it begins with = + - or @) gets a leading '
    Csv,
    /// For programs: names, money and times are exactly as stored
    Json,
}

impl Usage {
    pub(super) async fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        let settings = settings?.fixed.store;
        let unreadable = |failure: StoreError| {
            let place = match settings.redis {
                Some(_) => "REDIS_URL: Redis".to_owned(),
                None => format!("VOXGATE_DATA_DIR: {}", settings.data_dir.display()),
            };
            Failure::Other(format!("{place} cannot be read: {failure}"))
        };
        let ledger = LedgerReader::open(&settings).map_err(unreadable)?;
        let month = self.month.unwrap_or_else(|| Month::of(UnixMs::now()));
        let report = Report::read(&ledger, month, self.subject, self.records).await.map_err(unreadable)?;
        // Without the gateway's key in this terminal, an operator may read another namespace's ledger.
        let namespace_note = match settings.namespace {
            Namespace::Sandbox => Some("this is the ledger of the sandbox, since no OPENAI_API_KEY is set"),
            Namespace::Production => None,
        };
        match (report.nothing(), namespace_note) {
            (Some(nothing), namespace_note) => {
                let namespace_note = namespace_note.map(|ledger| format!("; {ledger}")).unwrap_or_default();
                print_remark(&(nothing + &reason(&report, &ledger, &settings) + &namespace_note));
            }
            (None, Some(ledger)) => print_remark(ledger),
            (None, None) => {}
        }
        print(|out| match self.format {
            Format::Table => table::write(&report, out),
            Format::Csv => csv::write(&report, out),
            Format::Json => json::write(&report, out),
        })
    }
}

/// Returns the reason why the report may be empty, if the user cannot know it.
fn reason(report: &Report, ledger: &LedgerReader, settings: &config::Store) -> String {
    if ledger.is_new() {
        // Show the full path: a command from another folder than the gateway's reads another directory.
        let directory = absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone());
        return format!("; no gateway has written to {} (VOXGATE_DATA_DIR) yet", directory.display());
    }
    match report {
        Report::Records { .. } => {
            format!("; records are kept for {} days", settings.keep_records.as_secs() / (24 * 60 * 60))
        }
        Report::Everyone { .. } | Report::One(_) => String::new(),
    }
}
