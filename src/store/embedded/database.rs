//! The database file: every write and every read. One connection, one statement at a time.

mod tokens;

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::domain::Subject;
use crate::domain::{AudioMs, Month, NanoUsd, UnixMs};
use crate::ledger::{Charge, Ending, Entry, RequestInfo, Statement, Tally, Usage};
use crate::limits::{IfUnknown, Settlement};

/// The version of the schema, in the file's `user_version`.
const VERSION: i64 = 4;
/// The first version that can be read without a migration.
const READABLE: i64 = 1;

/// A connection to the file.
#[derive(Debug)]
pub(super) struct Database(Connection);

/// The result of a call of SQLite.
pub(super) type Result<T> = rusqlite::Result<T>;

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
        let steps = [
            (1, include_str!("sql/schema.sql")),
            (2, include_str!("sql/revocations.sql")),
            (3, include_str!("sql/sessions.sql")),
            (VERSION, include_str!("sql/session_counts.sql")),
        ];
        for (version, step) in steps.into_iter().filter(|(version, _)| *version > before) {
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

    fn of_version(connection: Connection, least: i64) -> Result<Self> {
        match version(&connection)? {
            version if (least..=VERSION).contains(&version) => Ok(Self(connection)),
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
        let mut query = self.0.prepare_cached(include_str!("sql/entries.sql"))?;
        let (from, until) = (number(month.start().get()), number(month.next().start().get()));
        query.query_map(params![from, until, subject.map(Subject::as_str)], entry)?.collect()
    }
}

/// A transaction, and the number of changes before it.
pub(super) struct Writer<'a>(Transaction<'a>, u64);

impl Writer<'_> {
    /// Rewrites an existing value, to see whether the file can be written.
    pub(super) fn touch(&self) -> Result<()> {
        self.0.execute(include_str!("sql/touch.sql"), [UnixMs::now().to_string()]).map(|_| ())
    }

    /// Returns true if the transaction has changed anything.
    pub(super) fn has_changes(&self) -> bool {
        self.0.total_changes() > self.1
    }

    /// Commits the transaction.
    pub(super) fn commit(self) -> Result<()> {
        self.0.commit()
    }

    /// Returns a caller's charges in a month.
    pub(super) fn spent(&self, subject: &Subject, month: Month) -> Result<Charge> {
        Ok(spent(&self.0, subject, month)?.charge())
    }

    /// Returns true if the permit of this record was given.
    pub(super) fn knows(&self, entry: &Entry) -> Result<bool> {
        Ok(self.ending(entry)?.is_some())
    }

    /// Charges the estimate and opens the record.
    pub(super) fn open(&self, entry: &Entry) -> Result<()> {
        self.charge(entry, 1, entry.estimate, Charge::NONE)?;
        self.record(entry)
    }

    /// Settles a permit, unless it is settled already.
    pub(super) fn settle(&self, settlement: &Settlement) -> Result<()> {
        let mut entry = settlement.entry();
        if settlement.is_void() {
            return self.void(settlement, entry);
        }
        match (self.ending(&entry)?, settlement.unknown) {
            (Some((Ending::Open, given)), _) => {
                // The time in the record is the right one.
                entry.at = given;
                self.charge(&entry, 0, entry.cost, entry.estimate)?;
                if let Some(session) = &settlement.session {
                    self.charge_session(&entry.subject, &session.id, entry.cost, entry.estimate, None)?;
                }
            }
            (None, IfUnknown::Charge) => {
                self.charge(&entry, 1, entry.cost, Charge::NONE)?;
                if let Some(session) = &settlement.session {
                    let until = Some(session.expires_at);
                    self.charge_session(&entry.subject, &session.id, entry.cost, Charge::NONE, until)?;
                }
            }
            (Some(_), _) | (None, IfUnknown::Ignore) => return Ok(()),
        }
        self.tally(&entry, &settlement.counted_as)?;
        self.record(&entry)
    }

    /// Takes back an open permit, as if it had never been given.
    fn void(&self, settlement: &Settlement, mut entry: Entry) -> Result<()> {
        let Some((Ending::Open, given)) = self.ending(&entry)? else { return Ok(()) };
        entry.at = given;
        self.charge(&entry, -1, Charge::NONE, entry.estimate)?;
        if let Some(session) = &settlement.session {
            self.charge_session(&entry.subject, &session.id, Charge::NONE, entry.estimate, None)?;
        }
        self.0.prepare_cached(include_str!("sql/void.sql"))?.execute([entry.id.to_string()])?;
        Ok(())
    }

    /// Closes the records of permits that were given before `before` and never settled. Their estimates stand.
    pub(super) fn abandon(&self, before: UnixMs) -> Result<()> {
        let mut query = self.0.prepare_cached(include_str!("sql/abandoned.sql"))?;
        let abandoned: Vec<Entry> = query.query_map([number(before.get())], entry)?.collect::<Result<_>>()?;
        for mut entry in abandoned {
            entry.ending = Ending::Abandoned;
            self.tally(&entry, &entry.memo.model)?;
            self.record(&entry)?;
        }
        Ok(())
    }

    /// Deletes some of the records older than `before`, and returns their number.
    pub(super) fn forget(&self, before: UnixMs) -> Result<usize> {
        self.0.prepare_cached(include_str!("sql/forget.sql"))?.execute([number(before.get())])
    }

    fn ending(&self, entry: &Entry) -> Result<Option<(Ending, UnixMs)>> {
        let mut query = self.0.prepare_cached(include_str!("sql/ending.sql"))?;
        let found = |row: &Row<'_>| Ok((parsed(row, 0)?, UnixMs::new(counted(row, 1)?)));
        query.query_row([entry.id.to_string()], found).optional()
    }

    /// Replaces the charge `instead_of` by `charge`.
    fn charge(&self, entry: &Entry, requests: i64, charge: Charge, instead_of: Charge) -> Result<()> {
        let difference = |new: u64, old: u64| number(new) - number(old);
        self.0.prepare_cached(include_str!("sql/charge.sql"))?.execute(params![
            entry.subject.as_str(),
            Month::of(entry.at).to_string(),
            requests,
            difference(charge.usd.get(), instead_of.usd.get()),
            difference(charge.audio.get(), instead_of.audio.get()),
        ])?;
        Ok(())
    }

    fn tally(&self, entry: &Entry, model: &str) -> Result<()> {
        let month = Month::of(entry.at).to_string();
        for (kind, name) in [("day", entry.at.day().as_str()), ("model", model)] {
            let (usd, audio) = (number(entry.cost.usd.get()), number(entry.cost.audio.get()));
            let mut query = self.0.prepare_cached(include_str!("sql/tally.sql"))?;
            query.execute(params![entry.subject.as_str(), month, kind, name, usd, audio])?;
        }
        Ok(())
    }

    fn record(&self, entry: &Entry) -> Result<()> {
        let (input, output, audio) = match entry.usage {
            Some(Usage::Tokens { input, output }) => (Some(number(input)), Some(number(output)), None),
            Some(Usage::Length(length)) => (None, None, Some(number(length.get()))),
            None => (None, None, None),
        };
        self.0.prepare_cached(include_str!("sql/record.sql"))?.execute(params![
            entry.id.to_string(),
            number(entry.at.get()),
            entry.subject.as_str(),
            entry.memo.request_id,
            entry.memo.plan,
            entry.memo.model,
            entry.memo.provider,
            number(entry.audio.get()),
            number(entry.estimate.usd.get()),
            number(entry.estimate.audio.get()),
            number(entry.cost.usd.get()),
            number(entry.cost.audio.get()),
            input,
            output,
            audio,
            entry.ending.as_str(),
        ])?;
        Ok(())
    }
}

fn version(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn spent(connection: &Connection, subject: &Subject, month: Month) -> Result<Tally> {
    let mut query = connection.prepare_cached(include_str!("sql/spent.sql"))?;
    let row = query.query_row(params![subject.as_str(), month.to_string()], |row| tally(row, 0)).optional()?;
    Ok(row.unwrap_or_default())
}

/// Converts a number for SQLite, which counts to 2⁶³; no number here comes near it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn counted(row: &Row<'_>, index: usize) -> Result<u64> {
    // A correction after the loss of part of the file could make a sum negative.
    row.get::<_, i64>(index).map(|value| u64::try_from(value).unwrap_or_default())
}

fn tally(row: &Row<'_>, first: usize) -> Result<Tally> {
    Ok(Tally {
        requests: counted(row, first)?,
        spent_usd: NanoUsd::new(counted(row, first + 1)?),
        audio_ms: AudioMs::new(counted(row, first + 2)?),
    })
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, index: usize) -> Result<T> {
    let text: String = row.get(index)?;
    text.parse().map_err(|_| unreadable(format!("{text:?} is in column {index}")))
}

fn unreadable(what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, what.into())
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    let optional = |index| row.get::<_, Option<i64>>(index).map(|value| value.and_then(|n| u64::try_from(n).ok()));
    let usage = match (optional(12)?, optional(13)?, optional(14)?) {
        (Some(input), Some(output), _) => Some(Usage::Tokens { input, output }),
        (_, _, Some(length)) => Some(Usage::Length(AudioMs::new(length))),
        _ => None,
    };
    let charge = |usd, audio| -> Result<Charge> {
        Ok(Charge { usd: NanoUsd::new(counted(row, usd)?), audio: AudioMs::new(counted(row, audio)?) })
    };
    Ok(Entry {
        id: parsed(row, 0)?,
        at: UnixMs::new(counted(row, 1)?),
        subject: parsed(row, 2)?,
        memo: RequestInfo { request_id: row.get(3)?, plan: row.get(4)?, model: row.get(5)?, provider: row.get(6)? },
        audio: AudioMs::new(counted(row, 7)?),
        estimate: charge(8, 9)?,
        cost: charge(10, 11)?,
        usage,
        ending: parsed(row, 15)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::revocation::TokenRef;

    #[test]
    fn a_page_of_sessions_costs_what_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("file")).unwrap();
        let plan = |statement: &str, parameters: &[&dyn rusqlite::ToSql]| -> Vec<String> {
            let mut query = database.0.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            query.query_map(parameters, |row| row.get(3)).unwrap().collect::<Result<_>>().unwrap()
        };
        let page = plan(include_str!("sql/session_page.sql"), &[&"shop", &"", &1, &101]);
        assert_eq!(page, ["SEARCH sessions USING PRIMARY KEY (creator=? AND id>?)"], "and sorts nothing");
        let ended = plan("DELETE FROM sessions WHERE creator = ?1 AND until <= ?2", &[&"shop", &1]);
        assert!(ended[0].contains("sessions_by_creator_and_end (creator=? AND until<?)"), "{ended:?}");
    }

    #[test]
    fn sessions_of_a_file_of_an_earlier_version_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let old = Connection::open(&file).unwrap();
        for step in
            [include_str!("sql/schema.sql"), include_str!("sql/revocations.sql"), include_str!("sql/sessions.sql")]
        {
            old.execute_batch(step).unwrap();
        }
        old.pragma_update(None, "user_version", 3).unwrap();
        let add = "INSERT INTO sessions VALUES (?1, ?2, '{}', ?3)";
        for id in ["one", "two"] {
            old.execute(add, params!["shop", id, 5]).unwrap();
        }
        drop(old);
        let database = Database::open(&file).unwrap();
        let count = || -> Vec<(String, i64)> {
            let mut query = database.0.prepare("SELECT creator, count FROM session_counts ORDER BY creator").unwrap();
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_>>().unwrap()
        };
        assert_eq!(count(), [("shop".to_owned(), 2)]);
        database.0.execute(add, params!["mall", "one", 5]).unwrap();
        database.0.execute("DELETE FROM sessions WHERE id = 'two'", []).unwrap();
        assert_eq!(count(), [("mall".to_owned(), 1), ("shop".to_owned(), 1)]);
        database.0.execute("DELETE FROM sessions", []).unwrap();
        assert_eq!(count(), [], "nothing is kept of makers that have none");
    }

    #[test]
    fn a_file_of_an_earlier_version_is_brought_up_to_date_and_can_be_read_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let old = Connection::open(&file).unwrap();
        old.execute_batch(include_str!("sql/schema.sql")).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let month = "2026-11".parse().unwrap();
        assert!(Database::open_to_read(&file).unwrap().subjects(month).unwrap().is_empty());
        assert!(Database::open_beside(&file).is_err(), "its gateway has yet to be started");
        let database = Database::open(&file).unwrap();
        let revoked = database.is_revoked(&"alice".parse().unwrap(), &TokenRef::default(), UnixMs::now());
        assert!(!revoked.unwrap() && version(&database.0).unwrap() == VERSION);
        assert!(Database::open_beside(&file).unwrap().is_some());
    }
}
