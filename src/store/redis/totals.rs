//! The usage of all callers, and their last requests, from what each tag has of them.

use std::cmp::Reverse;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use redis::{Cmd, Value, cmd};
use tokio::time::timeout;

use super::keys::Tag;
use super::records::{MonthSums, ledger_entries, parsed, statement};
use super::shared::BACKGROUND_TIMEOUT;
use super::store::Redis;
use crate::domain::{Month, Subject};
use crate::ledger::{CallerTally, Entry, MAX_CALLERS, Totals};
use crate::store::{Availability, StoreError};

/// The number of commands that are under way at the same time. A connection sends them as one pipeline.
const MAX_CONCURRENT_READS: usize = 128;
/// The time limit of one read of all tags.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A caller, and the money that the set of its tag has for it, in billionths of a dollar.
type Spender = (Subject, f64);

/// A record of a ledger: its position there, and its fields.
type Item = (String, Vec<String>);

impl Redis {
    /// See [`Store::totals`](crate::store::Store::totals). A gateway of an earlier version does not add to the totals.
    pub(in crate::store) async fn totals(&self, month: Month) -> Result<Totals, StoreError> {
        self.within_time(self.read_totals(month)).await
    }

    /// See [`Store::recent`](crate::store::Store::recent).
    pub(in crate::store) async fn recent(&self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.within_time(self.read_recent(limit)).await
    }

    async fn within_time<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        if self.availability() == Availability::Down {
            return Err(StoreError::Unavailable);
        }
        timeout(TIME_LIMIT, read).await.map_err(|_| StoreError::Timeout)?
    }

    async fn read_totals(&self, month: Month) -> Result<Totals, StoreError> {
        let tags = || Tag::all(self.shared.namespace);
        let hashes = self.run_all(tags().map(|tag| cmd("HGETALL").arg(tag.totals(month)).take())).await?;
        let mut sums = MonthSums::default();
        for hash in hashes {
            sums.add(hash)?;
        }
        let most =
            |tag: Tag| cmd("ZREVRANGE").arg(tag.callers(month)).arg(0).arg(MAX_CALLERS - 1).arg("WITHSCORES").take();
        let mut spenders: Vec<Spender> = Vec::new();
        for of_tag in self.run_all(tags().map(most)).await? {
            for (name, spent) in parsed::<Vec<(String, f64)>>(of_tag)? {
                spenders.push((name.parse().map_err(StoreError::corrupt)?, spent));
            }
        }
        spenders.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        spenders.truncate(MAX_CALLERS);
        let months =
            spenders.iter().map(|(subject, _)| cmd("HGETALL").arg(self.shared.keys(subject).month(month)).take());
        let mut by_caller = Vec::new();
        for ((subject, _), value) in spenders.iter().zip(self.run_all(months).await?) {
            let tally = statement(subject, month, value)?.settled();
            by_caller.push(CallerTally { subject: subject.clone(), tally });
        }
        Ok(Totals::new(month, by_caller, sums.by_day, sums.by_model))
    }

    async fn read_recent(&self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        // A record can only be among the last if the last record of its tag is: so most tags need not be read.
        let mut last: Vec<(Position, Tag)> = Vec::new();
        let newest = Tag::all(self.shared.namespace).map(|tag| read_back(&tag, 1));
        for (tag, answer) in Tag::all(self.shared.namespace).zip(self.run_all(newest).await?) {
            let items: Vec<Item> = parsed(answer)?;
            last.extend(items.first().map(|(at, _)| (Position::parse(at), tag)));
        }
        last.sort_by_key(|(at, _)| Reverse(*at));
        last.truncate(limit);
        let mut items: Vec<Item> = Vec::new();
        for answer in self.run_all(last.iter().map(|(_, tag)| read_back(tag, limit))).await? {
            items.extend(parsed::<Vec<Item>>(answer)?);
        }
        items.sort_by_key(|(at, _)| Reverse(Position::parse(at)));
        items.truncate(limit);
        ledger_entries(&items)
    }

    /// Runs commands that read, and returns their answers in the same order.
    async fn run_all(&self, commands: impl Iterator<Item = Cmd>) -> Result<Vec<Value>, StoreError> {
        let run = |command| self.shared.connections.run(command, BACKGROUND_TIMEOUT);
        stream::iter(commands).map(run).buffered(MAX_CONCURRENT_READS).try_collect().await
    }
}

/// Returns the command that reads the last `count` records of a tag, newest first.
fn read_back(tag: &Tag, count: usize) -> Cmd {
    cmd("XREVRANGE").arg(tag.ledger()).arg("+").arg("-").arg("COUNT").arg(count).take()
}

/// The position of a record in a stream: the time of its settlement, in ms since 1970, and a number among those of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position(u64, u64);

impl Position {
    fn parse(id: &str) -> Self {
        let (ms, number) = id.split_once('-').unwrap_or((id, "0"));
        Self(ms.parse().unwrap_or_default(), number.parse().unwrap_or_default())
    }
}
