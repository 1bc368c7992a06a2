//! The two threads of a store, and the handle that passes jobs to them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::database::Database;
use super::health::Health;
use super::jobs::{Job, ReadJob, WriteContext, read_job};
use super::reads::ReadWorker;
use super::worker::Worker;
use crate::domain::UnixMs;
use crate::limits::clock::Clock;
use crate::store::StoreError;

/// The time after which a request stops waiting for the disk.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of jobs that wait for the writing thread: more than all requests in flight ask for at once.
/// Beyond it, requests fail at once.
const MAX_QUEUE: usize = 16 * 1024;
/// The maximum number of waiting reads.
const MAX_WAITING_READS: usize = 1024;

/// The handle to the threads.
pub(super) struct Threads {
    jobs: mpsc::Sender<Job>,
    reads: mpsc::Sender<ReadJob>,
    pub(super) health: Arc<Health>,
}

/// The threads before they start: their state and their inboxes.
pub(super) struct ThreadsToStart {
    pub(super) worker: Worker,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) read_worker: ReadWorker,
    pub(super) reads: mpsc::Receiver<ReadJob>,
}

impl ThreadsToStart {
    /// Creates the state of the threads and the handle to them. `for_reads` is a second connection to the file of
    /// `database`.
    pub(super) fn new(database: Database, for_reads: Database, clock: &Clock, keep: Duration) -> (Threads, Self) {
        let (jobs_sender, jobs) = mpsc::channel(MAX_QUEUE);
        let (reads_sender, reads) = mpsc::channel(MAX_WAITING_READS);
        let health = Arc::new(Health::default());
        let worker = Worker::new(database, clock.clone(), keep, Arc::clone(&health));
        let read_worker = ReadWorker::new(for_reads, clock.clone());
        (Threads { jobs: jobs_sender, reads: reads_sender, health }, Self { worker, jobs, read_worker, reads })
    }

    /// Starts the threads. They end when their handle is dropped.
    pub(super) fn start(self) -> io::Result<()> {
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let Self { worker, jobs, read_worker, reads } = self;
        thread("voxgate-store").spawn(move || worker.run(jobs))?;
        thread("voxgate-reads").spawn(move || read_worker.run(reads))?;
        Ok(())
    }
}

impl Threads {
    /// Does a write and waits for it, unless the thread is known to stand still.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnMut(&mut WriteContext<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_not_stalled()?;
        self.send(|reply| Job::write(name, reply, work)).await
    }

    /// Decides on a request, unless the thread is known to stand still. Does nothing for a caller that has left.
    pub(super) async fn decide<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnMut(&mut WriteContext<'_>) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_not_stalled()?;
        self.send(|reply| Job::decide(name, reply, work)).await
    }

    /// Reads on the writing thread, after all writes that wait: what they wrote, and nothing older, is found.
    pub(super) async fn read_written<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database, UnixMs) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_not_stalled()?;
        self.send(|reply| Job::Read(read_job(reply, read))).await
    }

    /// Reads on the reading thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database, UnixMs) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_not_stalled()?;
        let (reply, answer) = oneshot::channel();
        // A full or closed inbox of reads says nothing about writes.
        self.reads.try_send(read_job(reply, read)).map_err(|_| StoreError::Unavailable)?;
        match timeout(STORE_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Io("its thread for reads has ended".to_owned())),
            Err(_) => Err(StoreError::Timeout),
        }
    }

    /// Writes to the file to see whether it can be written, also while the thread is known to stand still. The thread
    /// itself records the result.
    pub(super) async fn probe(&self) {
        let touch = |context: &mut WriteContext<'_>| context.writer.touch();
        let _ = self.send(|reply| Job::write("probe", reply, touch)).await;
    }

    fn check_not_stalled(&self) -> Result<(), StoreError> {
        if self.health.is_stalled() { Err(StoreError::Unavailable) } else { Ok(()) }
    }

    /// Passes a job to the writing thread and waits for its answer.
    async fn send<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        match self.jobs.try_send(job(reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreError::Unavailable),
            Err(TrySendError::Closed(_)) => return Err(self.thread_ended()),
        }
        match timeout(STORE_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.thread_ended()),
            Err(_) => {
                self.health.record_no_answer(&StoreError::Timeout);
                Err(StoreError::Timeout)
            }
        }
    }

    fn thread_ended(&self) -> StoreError {
        let failure = StoreError::Io("its thread has ended".to_owned());
        self.health.record_no_answer(&failure);
        failure
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("health", &self.health).finish_non_exhaustive()
    }
}
