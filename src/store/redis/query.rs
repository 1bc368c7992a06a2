//! Queries that decide nothing: statements and records.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use redis::cmd;

use super::keys::{pattern, subject_of};
use super::records::{ledger_entries, open_entry, parsed, statement};
use super::shared::BACKGROUND_TIMEOUT;
use super::store::Redis;
use crate::domain::{Month, Subject, UnixMs};
use crate::ledger::{Ending, Entry, Statement};
use crate::store::StoreError;

/// The number of records per request.
const PAGE_SIZE: usize = 1000;
/// The number of callers that are queried at the same time.
const MAX_CONCURRENT_READS: usize = 16;

impl Redis {
    /// Returns a caller's usage in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        let keys = self.shared.keys(subject);
        if self.shared.health.is_shard_down(keys.shard()) {
            return Err(StoreError::Unavailable);
        }
        let command = cmd("HGETALL").arg(keys.month(month)).take();
        statement(subject, month, self.shared.connections.run(command, self.shared.timeout).await?)
    }

    /// See [`Store::request`](crate::store::Store::request).
    pub(in crate::store) async fn request(
        &self,
        subject: &Subject,
        request_id: &str,
    ) -> Result<Option<Entry>, StoreError> {
        let keys = self.shared.keys(subject);
        if self.shared.health.is_shard_down(keys.shard()) {
            return Err(StoreError::Unavailable);
        }
        // Open permits first: one that is settled between the two reads is then in both rather than in neither.
        let mut found = self.open_entries(std::slice::from_ref(subject)).await?;
        let get = cmd("GET").arg(keys.request(request_id)).take();
        let position: Option<String> = parsed(self.shared.connections.run(get, self.shared.timeout).await?)?;
        if let Some(position) = position {
            let one = cmd("XRANGE").arg(keys.ledger()).arg(&position).arg(&position).take();
            let items: Vec<(String, Vec<String>)> =
                parsed(self.shared.connections.run(one, self.shared.timeout).await?)?;
            found.extend(ledger_entries(&items)?);
        }
        let is_it = |entry: &Entry| entry.subject == *subject && entry.info.request_id == request_id;
        // Of two records with one id, the settled one comes last, and counts.
        Ok(found.into_iter().filter(is_it).max_by_key(|entry| (entry.at, entry.id, entry.ending != Ending::Open)))
    }

    /// Returns every caller that was charged in a month.
    pub async fn subjects(&self, month: Month) -> Result<Vec<Subject>, StoreError> {
        let keys = self.shared.connections.scan(&pattern(self.shared.namespace, &month.to_string())).await?;
        let subjects: BTreeSet<_> = keys.iter().filter_map(|key| subject_of(self.shared.namespace, key)).collect();
        Ok(subjects.into_iter().collect())
    }

    /// Returns the records of one caller, or of all, that were admitted in a month, oldest first, open ones included.
    pub async fn entries(&self, subject: Option<&Subject>, month: Month) -> Result<Vec<Entry>, StoreError> {
        let subjects = match subject {
            Some(subject) => vec![subject.clone()],
            None => self.subjects(month).await?,
        };
        // Open records first: a permit that is settled between the two reads is then in both rather than in neither.
        let mut entries = self.open_entries(&subjects).await?;
        let ledgers: BTreeSet<_> = subjects.iter().map(|subject| self.shared.keys(subject).ledger()).collect();
        for ledger in ledgers {
            entries.extend(self.ledger_entries(&ledger, month.start()).await?);
        }
        entries.retain(|entry| Month::of(entry.at) == month && subject.is_none_or(|subject| entry.subject == *subject));
        // Of two records with one id, the settled one comes last, and stays.
        entries.sort_by_key(|entry| (entry.at, entry.id, entry.ending != Ending::Open));
        entries.reverse();
        entries.dedup_by_key(|entry| entry.id);
        entries.reverse();
        Ok(entries)
    }

    async fn open_entries(&self, subjects: &[Subject]) -> Result<Vec<Entry>, StoreError> {
        let ask = |subject: &Subject| {
            let command = cmd("HGETALL").arg(self.shared.keys(subject).open()).take();
            let subject = subject.clone();
            async move {
                let open: Vec<(String, String)> =
                    parsed(self.shared.connections.run(command, BACKGROUND_TIMEOUT).await?)?;
                open.iter().map(|(id, value)| open_entry(&subject, id, value)).collect::<Result<Vec<_>, _>>()
            }
        };
        let answers: Vec<_> =
            stream::iter(subjects).map(ask).buffer_unordered(MAX_CONCURRENT_READS).try_collect().await?;
        Ok(answers.concat())
    }

    async fn ledger_entries(&self, ledger: &str, from: UnixMs) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut start = from.get().to_string();
        loop {
            let page = cmd("XRANGE").arg(ledger).arg(&start).arg("+").arg("COUNT").arg(PAGE_SIZE).take();
            let page: Vec<(String, Vec<String>)> =
                parsed(self.shared.connections.run(page, BACKGROUND_TIMEOUT).await?)?;
            entries.extend(ledger_entries(&page)?);
            match page.last() {
                Some((id, _)) if page.len() == PAGE_SIZE => start = format!("({id}"),
                _ => return Ok(entries),
            }
        }
    }
}
