//! The usage of all callers, and their last requests.

use std::collections::BTreeMap;

use rusqlite::params;

use super::Database;
use super::rows::{Result, entry, number, parsed, tally};
use crate::domain::Month;
use crate::ledger::{CallerTally, Entry, MAX_CALLERS, Totals};

impl Database {
    /// Returns the settled usage of all callers in a month.
    pub(in crate::store::embedded) fn totals(&self, month: Month) -> Result<Totals> {
        let (mut by_day, mut by_model) = (BTreeMap::new(), BTreeMap::new());
        // One transaction, so that both reads see the same moment.
        let transaction = self.0.unchecked_transaction()?;
        let mut query = transaction.prepare_cached(include_str!("../sql/totals_by_group.sql"))?;
        let mut rows = query.query([month.to_string()])?;
        while let Some(row) = rows.next()? {
            let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
            let tallies = if kind == "day" { &mut by_day } else { &mut by_model };
            tallies.insert(name, tally(row, 2)?);
        }
        let mut query = transaction.prepare_cached(include_str!("../sql/totals_by_caller.sql"))?;
        let callers = query.query_map(params![month.to_string(), count(MAX_CALLERS)], |row| {
            Ok(CallerTally { subject: parsed(row, 0)?, tally: tally(row, 1)? })
        })?;
        Ok(Totals::new(month, callers.collect::<Result<_>>()?, by_day, by_model))
    }

    /// Returns the last settled records, newest first.
    pub(in crate::store::embedded) fn recent(&self, limit: usize) -> Result<Vec<Entry>> {
        let mut query = self.0.prepare_cached(include_str!("../sql/recent.sql"))?;
        query.query_map([count(limit)], entry)?.collect()
    }
}

fn count(count: usize) -> i64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}
