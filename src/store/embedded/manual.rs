//! For tests: the embedded store without its threads, whose jobs are done by hand and with faults.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::health::Health;
use super::jobs::{Job, WriteJob};
use super::store::Embedded;
use super::threads::ThreadsToStart;
use crate::config::Namespace;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::store::StoreError;
use crate::store::tests::{Fault, Faults};

/// The jobs of a store, in the place of its threads.
pub(crate) struct ManualThreads {
    threads: ThreadsToStart,
    health: Arc<Health>,
    stalled: bool,
    /// The jobs that came during a stall, in order.
    waiting: Vec<Job>,
    /// The jobs that all later ones have overtaken.
    late: Vec<Job>,
    /// The reply channels of lost answers, whose callers wait in vain.
    unanswered: Vec<Box<dyn Any>>,
}

impl Embedded {
    /// Opens a store in `directory` whose jobs are done by hand.
    pub(crate) fn manual(
        directory: &Path,
        keep: Duration,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        clock: Clock,
    ) -> (Self, ManualThreads) {
        let (store, threads) = Self::prepare(directory, Namespace::default(), keep, rates, leases, clock).unwrap();
        let health = threads.worker.health();
        let (waiting, late, unanswered) = (Vec::new(), Vec::new(), Vec::new());
        (store, ManualThreads { threads, health, stalled: false, waiting, late, unanswered })
    }
}

impl ManualThreads {
    /// Does the jobs that have come and that no fault holds back.
    pub(crate) fn pump(&mut self, faults: &mut Faults) {
        self.answer_reads();
        while let Ok(job) = self.threads.jobs.try_recv() {
            let fault = if takes_faults(&job) { faults.pop_front() } else { None };
            match (fault, job) {
                (_, job) if self.stalled => self.waiting.push(job),
                (Some(Fault::Late), job) => self.late.push(job),
                (Some(Fault::Fails), Job::Write(write)) => self.fail(write),
                (Some(Fault::AnswerLost), Job::Write(mut write)) => {
                    self.unanswered.push(write.lose_answer());
                    self.work(vec![Job::Write(write)]);
                }
                (_, job) => self.work(vec![job]),
            }
        }
    }

    /// Does jobs in one batch.
    pub(super) fn work(&mut self, jobs: Vec<Job>) {
        self.threads.worker.work(jobs);
    }

    /// Returns the jobs that have come, which are then not done.
    pub(super) fn take_jobs(&mut self) -> Vec<Job> {
        std::iter::from_fn(|| self.threads.jobs.try_recv().ok()).collect()
    }

    /// Does the reads, as the reading thread does beside the writing one.
    pub(crate) fn answer_reads(&mut self) {
        while let Ok(job) = self.threads.reads.try_recv() {
            self.threads.read_worker.work(job);
        }
    }

    /// Holds back all jobs until it resumes.
    pub(crate) fn stall(&mut self) {
        self.stalled = true;
    }

    /// Resumes: the waiting jobs are done, in order.
    pub(crate) fn resume(&mut self) {
        self.stalled = false;
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            self.work(waiting);
        }
    }

    /// Does a late job, if there is any.
    pub(crate) fn deliver(&mut self, which: usize) -> bool {
        let count = self.late.len().max(1);
        let job = (!self.late.is_empty()).then(|| self.late.remove(which % count));
        job.map(|job| self.work(vec![job])).is_some()
    }

    fn fail(&self, write: Box<dyn WriteJob>) {
        let failure = StoreError::Io("the disk is full".to_owned());
        self.health.record_write(&Err(failure.clone()));
        write.finish(Err(failure));
    }
}

/// Returns true if a fault may hit this job.
fn takes_faults(job: &Job) -> bool {
    matches!(job, Job::Write(write) if ["admit", "revise", "settle"].contains(&write.name()))
}
