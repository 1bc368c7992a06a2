//! The database file: every write and every read. One connection, one statement at a time.
//!
//! - `writer`: a transaction; `spent`: the charges of a month; `tokens`: sessions and revoked tokens
//! - `totals`: the usage of all callers; `rows`: rows as types

mod rows;
mod spent;
mod tokens;
mod totals;
mod writer;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::domain::{Month, Subject};
use crate::ledger::{Entry, Statement};
use rows::{Result, entry, number, parsed, tally};
use spent::spent;
pub(super) use tokens::RevocationSum;
pub(super) use writer::Writer;

/// The version of the schema, in the file's `user_version`.
const VERSION: i64 = 6;
/// The first version whose records have the number of pieces.
const WITH_PIECES: i64 = 5;
/// The first version whose records have the number of attempts.
const WITH_ATTEMPTS: i64 = 6;
/// The first version that can be read without a migration.
const READABLE: i64 = 1;
/// The steps from an empty file to this version, by the version that each leads to.
const STEPS: [(i64, &str); 6] = [
    (1, include_str!("sql/schema.sql")),
    (2, include_str!("sql/revocations.sql")),
    (3, include_str!("sql/sessions.sql")),
    (4, include_str!("sql/session_counts.sql")),
    (WITH_PIECES, include_str!("sql/pieces.sql")),
    (WITH_ATTEMPTS, include_str!("sql/totals.sql")),
];

/// A connection to the file.
#[derive(Debug)]
pub(super) struct Database(Connection);

/// Connects to the file at `path`, which must not be a link. Its directory may be behind a link.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    // SQLite rejects links anywhere in the path, so resolve those of the directory.
    let directory = path.parent().and_then(|directory| directory.canonicalize().ok());
    let resolved = directory.zip(path.file_name()).map(|(directory, name)| directory.join(name));
    let path = resolved.as_deref().unwrap_or(path);
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)
}

impl Database {
    /// Opens the file at `path`, and creates it if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut connection = connect(path, OpenFlags::default())?;
        // No other process should write; if one does, requests wait for it only briefly.
        connection.busy_timeout(Duration::from_millis(250))?;
        // WAL: readers do not hold up the writer. FULL: committed data survives a power cut as well as a kill.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = version(&transaction)?;
        for (version, step) in STEPS.into_iter().filter(|(version, _)| *version > before) {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
        transaction.commit()?;
        Self::of_version(connection, VERSION)
    }

    /// Opens the file for reading, beside a process that writes to it.
    pub(super) fn open_to_read(path: &Path) -> Result<Self> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Self::of_version(connection, READABLE)
    }

    /// Opens another connection to the file at `path`, for reading while [`Database::open`] writes: in WAL mode neither
    /// waits for the other. This connection may be the last to close the file, and then writes the WAL back, which a
    /// read-only connection could not do.
    pub(super) fn open_for_reads(path: &Path) -> Result<Self> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_millis(250))?;
        connection.pragma_update(None, "query_only", true)?;
        Self::of_version(connection, VERSION)
    }

    fn of_version(connection: Connection, min: i64) -> Result<Self> {
        match version(&connection)? {
            version if (min..=VERSION).contains(&version) => Ok(Self(connection)),
            // SQLite has no error for this; its error for a file that is not a database comes nearest.
            other => Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB),
                Some(format!("it is of version {other}, and this gateway reads version {VERSION}")),
            )),
        }
    }

    /// Begins a transaction that is rolled back unless it is committed.
    pub(super) fn begin(&mut self) -> Result<Writer<'_>> {
        let changes_before = self.0.total_changes();
        Ok(Writer(self.0.transaction_with_behavior(TransactionBehavior::Immediate)?, changes_before))
    }

    /// Opens the file for writing, beside the gateway that owns it; `None` if it does not exist.
    pub(super) fn open_beside(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "synchronous", "full")?;
        Self::of_version(connection, VERSION).map(Some)
    }

    /// Returns a caller's usage in a month.
    pub(super) fn statement(&self, subject: &Subject, month: Month) -> Result<Statement> {
        let mut statement = Statement::empty(subject.clone(), month);
        // One transaction, so that both reads see the same moment.
        let transaction = self.0.unchecked_transaction()?;
        statement.total = spent(&transaction, subject, month)?;
        let mut query = transaction.prepare_cached(include_str!("sql/tallies.sql"))?;
        let mut rows = query.query(params![subject.as_str(), month.to_string()])?;
        while let Some(row) = rows.next()? {
            let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
            let tallies = if kind == "day" { &mut statement.by_day } else { &mut statement.by_model };
            tallies.insert(name, tally(row, 2)?);
        }
        Ok(statement)
    }

    /// Returns every caller that was charged in a month.
    pub(super) fn subjects(&self, month: Month) -> Result<Vec<Subject>> {
        let mut query = self.0.prepare_cached(include_str!("sql/subjects.sql"))?;
        query.query_map([month.to_string()], |row| parsed(row, 0))?.collect()
    }

    /// Returns the records of one caller, or of all, that were admitted in a month.
    pub(super) fn entries(&self, subject: Option<&Subject>, month: Month) -> Result<Vec<Entry>> {
        // The operator's commands also read a file that its gateway has yet to bring up to date.
        let statement = match version(&self.0)? {
            WITH_ATTEMPTS.. => include_str!("sql/entries.sql"),
            WITH_PIECES.. => include_str!("sql/entries_before_attempts.sql"),
            _ => include_str!("sql/entries_before_pieces.sql"),
        };
        let mut query = self.0.prepare_cached(statement)?;
        let (from, until) = (number(month.start().get()), number(month.next().start().get()));
        query.query_map(params![from, until, subject.map(Subject::as_str)], entry)?.collect()
    }

    /// Returns the newest record of a caller's request, open or settled.
    pub(super) fn request(&self, subject: &Subject, request_id: &str) -> Result<Option<Entry>> {
        let mut query = self.0.prepare_cached(include_str!("sql/request.sql"))?;
        query.query_row([subject.as_str(), request_id], entry).optional()
    }
}

fn version(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests;
