//! For tests: the embedded store without its thread, behind a line with faults.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::reads::{Question, Reads};
use super::worker::{Answer, Reply, Work, Worker};
use super::{Clock, Embedded, Leases, Rates, Threads};
use crate::store::StoreError;
use crate::store::tests::{Fault, Faults};

/// The line from the store to the database, in the place of the thread.
pub(crate) struct Line {
    inbox: mpsc::Receiver<Work>,
    worker: Worker,
    questions: mpsc::Receiver<Question>,
    reads: Reads,
    health: Arc<super::Health>,
    stalled: bool,
    /// The work that came during a stall, in order.
    waiting: Vec<Work>,
    /// The work that all later work has overtaken.
    late: Vec<Work>,
    /// The reply channels of lost answers, whose callers wait in vain.
    unanswered: Vec<Unanswered>,
}

/// A reply channel that stays open and carries no answer.
enum Unanswered {
    Admit { _reply: Reply<Answer> },
    Settle { _reply: Reply<()> },
}

impl Embedded {
    /// Opens a store in `directory`, and the line to its file.
    pub(crate) fn by_hand(
        directory: &Path,
        keep: Duration,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        clock: Clock,
    ) -> (Self, Line) {
        let (store, Threads { worker, work: inbox, reads, questions }) =
            Self::prepare(directory, crate::config::Namespace::default(), keep, rates, leases, clock).unwrap();
        let health = Arc::clone(&store.health);
        let (waiting, late, unanswered) = (Vec::new(), Vec::new(), Vec::new());
        (store, Line { inbox, worker, questions, reads, health, stalled: false, waiting, late, unanswered })
    }
}

impl Line {
    /// Does the work that has come and that no fault holds back.
    pub(crate) fn pump(&mut self, faults: &mut Faults) {
        self.answer_reads();
        while let Ok(work) = self.inbox.try_recv() {
            let fault = if is_counted(&work) { faults.pop_front() } else { None };
            match (fault, work) {
                (_, work) if self.stalled => self.waiting.push(work),
                (Some(Fault::Late), work) => self.late.push(work),
                (Some(Fault::Fails), work) => self.fail(work),
                (Some(Fault::AnswerLost), Work::Admit { ask, denial, reply }) => {
                    let (nobody, kept) = oneshot::channel();
                    self.unanswered.push(Unanswered::Admit { _reply: reply });
                    self.worker.work_through(vec![Work::Admit { ask, denial, reply: nobody }]);
                    drop(kept);
                }
                (Some(Fault::AnswerLost), Work::Settle { settlement, reply }) => {
                    self.unanswered.push(Unanswered::Settle { _reply: reply });
                    self.worker.work_through(vec![Work::Settle { settlement, reply: oneshot::channel().0 }]);
                }
                (_, work) => self.worker.work_through(vec![work]),
            }
        }
    }

    /// Answers the reads, as the reading thread does beside the writing one.
    pub(crate) fn answer_reads(&mut self) {
        while let Ok(question) = self.questions.try_recv() {
            self.reads.answer(question);
        }
    }

    /// Stalls the line until it resumes.
    pub(crate) fn stall(&mut self) {
        self.stalled = true;
    }

    /// Resumes the line: the waiting work is done, in order.
    pub(crate) fn resume(&mut self) {
        self.stalled = false;
        if !self.waiting.is_empty() {
            self.worker.work_through(std::mem::take(&mut self.waiting));
        }
    }

    /// Does a piece of late work, if there is any.
    pub(crate) fn deliver(&mut self, which: usize) -> bool {
        let count = self.late.len().max(1);
        let work = (!self.late.is_empty()).then(|| self.late.remove(which % count));
        work.map(|work| self.worker.work_through(vec![work])).is_some()
    }

    fn fail(&mut self, work: Work) {
        let failure = StoreError::Failed("the disk is full".to_owned());
        self.health.wrote(&Err(failure.clone()));
        match work {
            Work::Admit { reply, .. } => drop(reply.send(Err(failure))),
            Work::Settle { reply, .. } => drop(reply.send(Err(failure))),
            _ => {}
        }
    }
}

/// Returns true if a fault may hit this work.
const fn is_counted(work: &Work) -> bool {
    matches!(work, Work::Admit { .. } | Work::Settle { .. })
}
