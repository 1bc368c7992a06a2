//! The thread for reads that can take long, on a separate connection: no request waits for it at admission.

use tokio::sync::mpsc;

use super::database::Database;
use super::jobs::ReadJob;
use crate::limits::clock::Clock;

/// The state of the reading thread.
#[derive(Debug)]
pub(super) struct ReadWorker {
    database: Database,
    clock: Clock,
}

impl ReadWorker {
    pub(super) const fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Works until every sender is gone.
    pub(super) fn run(self, mut inbox: mpsc::Receiver<ReadJob>) {
        while let Some(job) = inbox.blocking_recv() {
            self.work(job);
        }
    }

    /// Does one job.
    pub(super) fn work(&self, job: ReadJob) {
        job(&self.database, self.clock.now());
    }
}
