//! The charges of a month.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Result, tally};
use crate::domain::{Month, Subject};
use crate::ledger::Tally;

/// Returns a caller's charges in a month.
pub(super) fn spent(connection: &Connection, subject: &Subject, month: Month) -> Result<Tally> {
    let mut query = connection.prepare_cached(include_str!("../sql/spent.sql"))?;
    let row = query.query_row(params![subject.as_str(), month.to_string()], |row| tally(row, 0)).optional()?;
    Ok(row.unwrap_or_default())
}
