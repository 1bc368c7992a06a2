//! The thread that owns the file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::database::Database;
use super::failure::failed;
use super::health::Health;
use super::jobs::{Job, WriteContext, WriteJob};
use super::voided::VoidedPermits;
use crate::limits::clock::Clock;
use crate::store::StoreError;

/// The maximum number of requests that share a commit.
const MAX_BATCH: usize = 128;
/// The interval between searches for old records.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(10);
/// The time limit of one search.
const CLEANUP_TIME_LIMIT: Duration = Duration::from_millis(50);
/// The time after which an unsettled permit counts as abandoned: longer than any lease, and than a settlement waits.
const ABANDONED_AFTER: Duration = Duration::from_hours(48);

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Worker {
    database: Database,
    clock: Clock,
    keep: Duration,
    health: Arc<Health>,
    voided: VoidedPermits,
}

impl Worker {
    pub(super) fn new(database: Database, clock: Clock, keep: Duration, health: Arc<Health>) -> Self {
        Self { database, clock, keep, health, voided: VoidedPermits::default() }
    }

    #[cfg(test)]
    pub(super) fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Job>) {
        let mut cleaned_at: Option<Duration> = None;
        while let Some(first) = inbox.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(next) = inbox.try_recv()
            {
                batch.push(next);
            }
            self.work(batch);
            let now = self.clock.steady();
            if cleaned_at.is_none_or(|last| now.saturating_sub(last) >= CLEANUP_INTERVAL) {
                cleaned_at = Some(now);
                self.voided.forget_old(now);
                if let Err(error) = self.clean_up() {
                    tracing::warn!(%error, "old records of the ledger could not be cleared away");
                }
            }
        }
    }

    /// Does a batch of jobs, and answers the callers that still wait.
    pub(super) fn work(&mut self, batch: Vec<Job>) {
        let (mut writes, mut reads) = (Vec::with_capacity(batch.len()), Vec::new());
        for job in batch {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Read(read) => reads.push(read),
            }
        }
        self.write_all(writes);
        for read in reads {
            read(&self.database, self.clock.now());
        }
        self.health.record_answer();
    }

    fn write_all(&mut self, mut writes: Vec<Box<dyn WriteJob>>) {
        let committed = self.write(&mut writes);
        // One job may be the one that cannot be written; do each alone, so that the others succeed.
        let alone = committed.is_err() && writes.len() > 1;
        for mut write in writes {
            let committed = if alone { self.write(std::slice::from_mut(&mut write)) } else { committed.clone() };
            write.finish(committed);
        }
    }

    /// Runs the jobs in one transaction. If that fails, nothing of it is done.
    fn write(&mut self, writes: &mut [Box<dyn WriteJob>]) -> Result<(), StoreError> {
        if writes.iter().all(|write| write.is_abandoned()) {
            return Ok(());
        }
        let Self { database, clock, voided, .. } = self;
        let mut changed = false;
        let committed = database.begin().and_then(|writer| {
            for write in writes {
                write.run(&mut WriteContext { writer: &writer, now: clock.now(), voided: &mut *voided })?;
            }
            changed = writer.has_changes();
            writer.commit()
        });
        let committed = committed.map_err(|error| failed(&error));
        // A transaction without changes tells nothing about the disk, nor does an entry that cannot be parsed.
        if changed || committed.as_ref().is_err_and(|failure| !matches!(failure, StoreError::Corrupt(_))) {
            self.health.record_write(&committed);
        }
        committed
    }

    fn clean_up(&mut self) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let writer = self.database.begin()?;
        writer.abandon(now.minus(ABANDONED_AFTER))?;
        writer.forget_ended(now)?;
        writer.commit()?;
        // The cleanup may take long in all, but works in pieces short enough not to delay requests.
        let start = Instant::now();
        while start.elapsed() < CLEANUP_TIME_LIMIT {
            let writer = self.database.begin()?;
            let forgotten = writer.forget(now.minus(self.keep))?;
            writer.commit()?;
            if forgotten == 0 {
                break;
            }
        }
        Ok(())
    }
}
