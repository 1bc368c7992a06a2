//! Redis behind a line with faults. The test's time stands still while Redis works.

use std::fmt;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::bench::Bench;
use super::faults::{Fault, Faults};
use crate::domain::{Month, Subject};
use crate::ledger::{Entry, Statement};
use crate::limits::{AdmitRequest, Decision, ReviseRequest, RevisionDecision, Settlement};
use crate::store::{Availability, Store, StoreError};

/// The time after which a gateway stops waiting for an answer here.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Redis behind a line with faults.
#[derive(Clone)]
pub struct Unreliable {
    pub(crate) bench: Arc<Bench>,
    /// The runtime with the real connection to Redis.
    real: Handle,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    stalled: bool,
    away: bool,
    /// The questions that came during a stall, in order.
    waiting: Vec<Job>,
    /// The questions that all later ones have overtaken.
    late: Vec<Job>,
}

#[derive(Clone)]
enum Question {
    Admit(Arc<AdmitRequest>),
    Revise(Arc<ReviseRequest>),
    Settle(Arc<Settlement>),
}

/// The answer to a question.
enum Answer {
    Admitted(Decision),
    Revised(RevisionDecision),
    Settled,
}

/// A question, and the channel for its answer.
type Job = (Question, oneshot::Sender<Result<Answer, StoreError>>);

impl Unreliable {
    pub(crate) fn new(bench: Arc<Bench>, real: Handle) -> Self {
        Self { bench, real, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn inner(&self) -> &Store {
        &self.bench.store
    }

    pub(crate) fn availability(&self) -> Availability {
        if self.state().away { Availability::Down } else { Availability::Up }
    }

    /// Marks Redis as back if it answers, as its watch does.
    pub(crate) fn maintain(&self) {
        let mut state = self.state();
        state.away &= state.stalled;
    }

    pub(crate) async fn admit(&self, ask: Arc<AdmitRequest>) -> Result<Decision, StoreError> {
        let Answer::Admitted(decision) = self.ask(Question::Admit(ask)).await? else { unreachable!() };
        Ok(decision)
    }

    pub(crate) async fn revise(&self, ask: Arc<ReviseRequest>) -> Result<RevisionDecision, StoreError> {
        let Answer::Revised(decision) = self.ask(Question::Revise(ask)).await? else { unreachable!() };
        Ok(decision)
    }

    pub(crate) async fn settle(&self, settlement: Arc<Settlement>) -> Result<(), StoreError> {
        self.ask(Question::Settle(settlement)).await.map(|_| ())
    }

    /// Sets the faults of the next questions.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Stalls the line until it resumes.
    pub(crate) fn stall(&self) {
        self.state().stalled = true;
    }

    /// Resumes the line: the waiting questions are answered, in order.
    pub(crate) fn resume(&self) {
        let waiting = {
            let mut state = self.state();
            state.stalled = false;
            std::mem::take(&mut state.waiting)
        };
        for job in waiting {
            self.work(job);
        }
    }

    /// Delivers a late question, if there is any.
    pub(crate) fn deliver(&self, which: usize) -> bool {
        let job = {
            let late = &mut self.state().late;
            let count = late.len().max(1);
            (!late.is_empty()).then(|| late.remove(which % count))
        };
        job.map(|job| self.work(job)).is_some()
    }

    /// Clears Redis, and drops the late requests for admission, which Redis would refuse by its clock. In this test its
    /// clock follows the question, so that otherwise only marks refuse a late question.
    pub(crate) fn forget(&self) {
        let super::bench::Place::Server(server) = &self.bench.place else { unreachable!() };
        server.run(&["FLUSHALL"]);
        self.state().late.retain(|(question, _)| !matches!(question, Question::Admit(_)));
    }

    async fn ask(&self, question: Question) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let mut lost = None;
        let now = {
            let mut state = self.state();
            if state.away {
                return Err(StoreError::Unavailable);
            }
            if state.stalled {
                state.waiting.push((question, reply));
                None
            } else {
                match state.faults.pop_front() {
                    Some(Fault::Late) => {
                        state.late.push((question, reply));
                        None
                    }
                    Some(Fault::Fails) => {
                        state.away = true;
                        return Err(StoreError::Io("it cannot be reached".to_owned()));
                    }
                    Some(Fault::AnswerLost) => {
                        lost = Some(reply);
                        Some((question, oneshot::channel().0))
                    }
                    Some(Fault::AskedTwice) => {
                        drop(state);
                        self.work((question.clone(), oneshot::channel().0));
                        Some((question, reply))
                    }
                    None => Some((question, reply)),
                }
            }
        };
        if let Some(job) = now {
            self.work(job);
        }
        let answer = timeout(TIMEOUT, answer).await;
        drop(lost);
        let answer = answer.map_or(Err(StoreError::Timeout), |answer| answer.unwrap());
        if matches!(answer, Err(StoreError::Timeout)) {
            self.state().away = true;
        }
        answer
    }

    /// Settles without the line.
    pub(crate) fn settle_now(&self, settlement: Settlement) {
        self.work((Question::Settle(Arc::new(settlement)), oneshot::channel().0));
    }

    /// Returns a caller's records in Redis, without the line.
    pub(crate) fn entries(&self, subject: &Subject, month: Month) -> Vec<Entry> {
        let (bench, subject) = (Arc::clone(&self.bench), subject.clone());
        self.really(async move { bench.entries(&subject, month).await })
    }

    /// Returns a caller's statement in Redis, without the line.
    pub(crate) fn statement(&self, subject: &Subject, month: Month) -> Statement {
        let (bench, subject) = (Arc::clone(&self.bench), subject.clone());
        self.really(async move { bench.store.statement(&subject, month).await.unwrap() })
    }

    /// Runs `work` where time passes, and nothing else meanwhile.
    fn really<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (done, answer) = sync_channel(1);
        self.real.spawn(async move { done.send(work.await).map_err(|_| ()).unwrap() });
        answer.recv().unwrap()
    }

    /// Sends a question to Redis, whether or not its caller still waits, and nothing else meanwhile.
    fn work(&self, (question, reply): Job) {
        let (store, asked) = (Arc::clone(&self.bench.store), question.clone());
        let subject = match &question {
            Question::Admit(ask) => &ask.subject,
            Question::Revise(ask) => &ask.subject,
            Question::Settle(settlement) => &settlement.subject,
        };
        self.bench.tell_the_time(subject);
        let answer = self.really(async move {
            match asked {
                Question::Admit(ask) => store.admit(ask).await.map(Answer::Admitted),
                Question::Revise(ask) => store.revise(ask).await.map(Answer::Revised),
                Question::Settle(settlement) => store.settle(settlement).await.map(|()| Answer::Settled),
            }
        });
        let _ = reply.send(answer);
    }
}

impl fmt::Debug for Unreliable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreliable").finish_non_exhaustive()
    }
}
