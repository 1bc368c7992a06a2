//! The report on usage, read from the ledger.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::domain::{Month, Subject};
use crate::ledger::{Entry, Statement, Tally};
use crate::store::{LedgerReader, StoreError};

/// The number of callers to read at once: each takes a round trip to Redis.
const AT_ONCE: usize = 16;

/// The data of a report.
pub(super) enum Report {
    /// The callers that used anything in the month, in the order of their names.
    Everyone { month: Month, statements: Vec<Statement> },
    /// A single caller.
    One(Statement),
    /// Single requests, of one caller or of all, oldest first.
    Records { month: Month, subject: Option<Subject>, entries: Vec<Entry> },
}

impl Report {
    /// Reads the report from the ledger.
    pub(super) async fn read(
        ledger: &LedgerReader,
        month: Month,
        subject: Option<Subject>,
        records: bool,
    ) -> Result<Self, StoreError> {
        match (subject, records) {
            (None, false) => {
                let subjects = ledger.subjects(month).await?;
                let ask = |subject| async move { ledger.statement(&subject, month).await };
                let statements = stream::iter(subjects).map(ask).buffered(AT_ONCE).try_collect().await?;
                Ok(Self::Everyone { month, statements })
            }
            (Some(subject), false) => Ok(Self::One(ledger.statement(&subject, month).await?)),
            (subject, true) => {
                let entries = ledger.entries(subject.as_ref(), month).await?;
                Ok(Self::Records { month, subject, entries })
            }
        }
    }

    /// Returns a message if the report is empty.
    pub(super) fn nothing(&self) -> Option<String> {
        match self {
            Self::Everyone { month, statements } => {
                statements.is_empty().then(|| format!("nothing was used in {month}"))
            }
            Self::One(statement) => {
                let Statement { subject, month, total, .. } = statement;
                (*total == Tally::default()).then(|| format!("{subject} used nothing in {month}"))
            }
            Self::Records { month, subject: None, entries } => {
                entries.is_empty().then(|| format!("there are no records of {month}"))
            }
            Self::Records { month, subject: Some(subject), entries } => {
                entries.is_empty().then(|| format!("there are no records of {subject} in {month}"))
            }
        }
    }
}

/// Sums up the callers' usage: the total, and the open part of it.
pub(super) fn sums(statements: &[Statement]) -> (Tally, Tally) {
    statements.iter().fold(<(Tally, Tally)>::default(), |(total, open), statement| {
        (total.plus(statement.total), open.plus(statement.open()))
    })
}
