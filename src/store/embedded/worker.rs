//! The thread that owns the file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::database::{Database, Writer};
use super::health::Health;
use super::reader::failed;
use crate::domain::{Month, Subject, UnixMs};
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::{Charge, PermitId};
use crate::limits::clock::Clock;
use crate::limits::session::{SessionDenial, SessionRequest};
use crate::limits::{AdmitRequest, Denial, Settlement};
use crate::store::StoreError;

/// The maximum number of requests that share a commit.
const BATCH: usize = 128;
/// The interval between searches for old records, and the time limit of one search.
const TIDY: Duration = Duration::from_secs(10);
const TIDY_AT_ONCE: Duration = Duration::from_millis(50);
/// The time after which an unsettled permit counts as abandoned: longer than any lease, and than a settlement waits.
pub(super) const ABANDONED: Duration = Duration::from_hours(48);

/// The time for which the id of a question that was taken back is remembered. Only this process asks this store, and it
/// gives a question up after seconds.
const CLOSED: Duration = Duration::from_mins(10);

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// The answer of the budgets to a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) at: UnixMs,
    /// True if the permit was given before.
    pub(super) was_known: bool,
    pub(super) denial: Option<Denial>,
    /// The charges of the month, after the request if it was admitted.
    pub(super) spent: Charge,
}

/// A digest that shows new revocations: their number, and the sums of their fields.
pub(super) type RevocationSum = (i64, i64, i64);

/// A piece of work for the thread.
#[derive(Debug)]
pub(super) enum Work {
    /// `denial`: the reason to refuse the request whatever the budgets allow, unless its permit was given before.
    Admit {
        ask: Arc<AdmitRequest>,
        denial: Option<Denial>,
        reply: Reply<Answer>,
    },
    Settle {
        settlement: Arc<Settlement>,
        reply: Reply<()>,
    },
    IsRevoked {
        subject: Subject,
        token: TokenRef,
        reply: Reply<bool>,
    },
    Revocations {
        seen: Option<RevocationSum>,
        reply: Reply<Option<(RevocationSum, Vec<Revocation>)>>,
    },
    Revoke {
        revocation: Revocation,
        reply: Reply<()>,
    },
    OpenSession {
        request: Arc<SessionRequest>,
        reply: Reply<Option<SessionDenial>>,
    },
    ForgetSession {
        maker: Subject,
        id: String,
        reply: Reply<()>,
    },
    Probe {
        reply: Reply<()>,
    },
}

impl Work {
    const fn only_reads(&self) -> bool {
        matches!(self, Self::IsRevoked { .. } | Self::Revocations { .. })
    }

    /// Returns true if the caller has left and the work must not be done then: its lease or session would belong to no
    /// request.
    fn is_stale(&self) -> bool {
        match self {
            Self::Admit { reply, .. } => reply.is_closed(),
            Self::OpenSession { reply, .. } => reply.is_closed(),
            _ => false,
        }
    }
}

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Worker {
    database: Database,
    clock: Clock,
    keep: Duration,
    health: Arc<Health>,
    closed: Closed,
}

impl Worker {
    pub(super) fn new(database: Database, clock: Clock, keep: Duration, health: Arc<Health>) -> Self {
        Self { database, clock, keep, health, closed: Closed::default() }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Work>) {
        let mut tidied: Option<Duration> = None;
        while let Some(first) = inbox.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                batch.push(next);
            }
            self.work_through(batch);
            let now = self.clock.steady();
            if tidied.is_none_or(|last| now.saturating_sub(last) >= TIDY) {
                tidied = Some(now);
                self.closed.forget_before(now.saturating_sub(CLOSED));
                if let Err(error) = self.tidy() {
                    tracing::warn!(%error, "old records of the ledger could not be cleared away");
                }
            }
        }
    }

    /// Does a batch of work, and answers the callers that still wait.
    pub(super) fn work_through(&mut self, batch: Vec<Work>) {
        self.work(batch);
        self.health.answers();
    }

    fn work(&mut self, batch: Vec<Work>) {
        let (reads, writes): (Vec<_>, Vec<_>) = batch.into_iter().partition(Work::only_reads);
        let (answers, written) = self.write(&writes);
        if written.is_err() && writes.len() > 1 {
            // A single piece of work may be the one that cannot be written; do each alone, so that the others succeed.
            for work in writes {
                let (answers, written) = self.write(std::slice::from_ref(&work));
                reply(work, answers.first(), written);
            }
        } else {
            let mut answers = answers.iter();
            for work in writes {
                reply(work, answers.next(), written.clone());
            }
        }
        for work in reads {
            match work {
                Work::IsRevoked { subject, token, reply } => {
                    let revoked = self.database.is_revoked(&subject, &token, self.clock.now());
                    let _ = reply.send(revoked.map_err(|error| failed(&error)));
                }
                Work::Revocations { seen, reply } => {
                    let revocations = self.database.revocations(seen, self.clock.now());
                    let _ = reply.send(revocations.map_err(|error| failed(&error)));
                }
                _ => {}
            }
        }
    }

    /// Does the batch in one transaction. If that fails, nothing of it is done.
    fn write(&mut self, batch: &[Work]) -> (Vec<Written>, Result<(), StoreError>) {
        let mut answers = Vec::with_capacity(batch.len());
        if batch.iter().all(Work::is_stale) {
            return (answers, Ok(()));
        }
        let Self { database, clock, closed, .. } = self;
        let mut changed = false;
        let written = database.begin().and_then(|writer| {
            for work in batch {
                answers.push(match work {
                    stale if stale.is_stale() => Written::Skipped,
                    Work::Admit { ask, .. } if closed.has(ask.id) => Written::Skipped,
                    Work::Admit { ask, denial, .. } => Written::Decided(admit(&writer, clock.now(), ask, *denial)?),
                    Work::Settle { settlement, .. } => {
                        if settlement.is_void() {
                            closed.add(settlement.id, clock.steady());
                        }
                        writer.settle(settlement).map(|()| Written::Done)?
                    }
                    Work::Probe { .. } => writer.touch().map(|()| Written::Done)?,
                    Work::Revoke { revocation, .. } => writer.revoke(revocation).map(|()| Written::Done)?,
                    Work::OpenSession { request, .. } => Written::Session(writer.open_session(request, clock.now())?),
                    Work::ForgetSession { maker, id, .. } => {
                        writer.forget_session(maker, id).map(|()| Written::Done)?
                    }
                    Work::IsRevoked { .. } | Work::Revocations { .. } => Written::Skipped,
                });
            }
            changed = writer.has_changes();
            writer.commit()
        });
        let written = written.map_err(|error| failed(&error));
        // A transaction without changes tells nothing about the disk, nor does an entry that cannot be parsed.
        if changed || written.as_ref().is_err_and(|failure| !matches!(failure, StoreError::Garbled(_))) {
            self.health.wrote(&written);
        }
        (answers, written)
    }

    fn tidy(&mut self) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let writer = self.database.begin()?;
        writer.abandon(now.minus(ABANDONED))?;
        writer.forget_ended(now)?;
        writer.commit()?;
        // The cleanup may take long in all, but works in pieces short enough not to delay requests.
        let start = Instant::now();
        while start.elapsed() < TIDY_AT_ONCE {
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

/// The result of one piece of work in a transaction.
enum Written {
    /// Nothing was done: the caller had left, or the question was taken back before it came.
    Skipped,
    Done,
    Decided(Answer),
    Session(Option<SessionDenial>),
}

/// Sends the result of a write to the caller.
fn reply(work: Work, answer: Option<&Written>, written: Result<(), StoreError>) {
    let too_late = || StoreError::Refused("the request was given up before it came to be decided".to_owned());
    // A caller that has left takes its question back.
    match work {
        Work::Admit { reply, .. } => {
            let decided = if let Some(Written::Decided(answer)) = answer { Ok(*answer) } else { Err(too_late()) };
            let _ = reply.send(written.and(decided));
        }
        Work::OpenSession { reply, .. } => {
            let decided = if let Some(Written::Session(denial)) = answer { Ok(*denial) } else { Err(too_late()) };
            let _ = reply.send(written.and(decided));
        }
        Work::Settle { reply, .. }
        | Work::Probe { reply }
        | Work::Revoke { reply, .. }
        | Work::ForgetSession { reply, .. } => {
            let _ = reply.send(written);
        }
        Work::IsRevoked { .. } | Work::Revocations { .. } => {}
    }
}

/// Decides on one request by the file and notes the request there, all or nothing. `denial`: the reason to refuse it
/// whatever the file says, unless its permit was given before.
fn admit(writer: &Writer<'_>, now: UnixMs, ask: &AdmitRequest, denial: Option<Denial>) -> rusqlite::Result<Answer> {
    let subject = &ask.subject;
    let entry = ask.entry(now);
    let spent = writer.spent(subject, Month::of(now))?;
    if writer.knows(&entry)? {
        return Ok(Answer { at: now, was_known: true, denial: None, spent });
    }
    let revoked = writer.is_revoked(subject, &ask.token, now)?.then_some(Denial::Revoked);
    let mut denial = revoked.or(denial).or(ask.limits.exceeded(spent, ask.estimate));
    if let Some(session) = ask.session.as_ref().filter(|_| denial.is_none()) {
        let spent = writer.spent_in(subject, &session.id)?;
        denial = session.is_exceeded(spent, ask.estimate).then_some(Denial::Session);
    }
    if denial.is_some() {
        return Ok(Answer { at: now, was_known: false, denial, spent });
    }
    writer.open(&entry)?;
    if let Some(session) = &ask.session {
        let until = session.expires_at.max(now).plus(ask.lease);
        writer.charge_session(subject, &session.id, ask.estimate, Charge::NONE, Some(until))?;
    }
    Ok(Answer { at: now, was_known: false, denial: None, spent: spent.plus(ask.estimate) })
}

/// The ids of questions that were taken back; a question that comes late must not be admitted.
#[derive(Debug, Default)]
struct Closed(BTreeMap<PermitId, Duration>);

impl Closed {
    fn has(&self, id: PermitId) -> bool {
        self.0.contains_key(&id)
    }

    fn add(&mut self, id: PermitId, now: Duration) {
        self.0.insert(id, now);
    }

    fn forget_before(&mut self, time: Duration) {
        self.0.retain(|_, closed| *closed >= time);
    }
}
