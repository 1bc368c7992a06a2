//! The thread that owns the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::super::{Settlement, StoreFailure};
use super::database::{Database, Writer};
use super::reader::failed;
use crate::admission::clock::Clock;
use crate::admission::leases::Leases;
use crate::admission::limits::{Ask, Decision, Denial, Standing};
use crate::admission::rates::Rates;
use crate::admission::revocation::{Revocation, TokenMark};
use crate::admission::session::Session;
use crate::identity::Subject;
use crate::ledger::{Charge, Statement};
use crate::units::{Month, UnixMs};

/// How many requests share a commit at most.
const BATCH: usize = 128;
/// How often old records are looked for, and for how long at once.
const TIDY: Duration = Duration::from_secs(10);
const TIDY_AT_ONCE: Duration = Duration::from_millis(50);
/// A permit that is not settled after this long never will be: longer than any lease, and than a settlement waits.
pub(super) const ABANDONED: Duration = Duration::from_hours(48);

type Reply<T> = oneshot::Sender<Result<T, StoreFailure>>;

/// What the thread is given to do.
#[derive(Debug)]
pub(super) enum Work {
    Admit { ask: Arc<Ask>, reply: Reply<Decision> },
    Settle { settlement: Arc<Settlement>, reply: Reply<()> },
    Statement { subject: Subject, month: Month, reply: Reply<Statement> },
    IsRevoked { subject: Subject, token: TokenMark, reply: Reply<bool> },
    Revoke { revocation: Revocation, reply: Reply<()> },
    OpenSession { creator: Subject, session: Box<Session>, reply: Reply<()> },
    ForgetSession { creator: Subject, id: String, reply: Reply<()> },
    Sessions { creator: Subject, reply: Reply<Vec<Session>> },
    Probe { reply: Reply<()> },
}

impl Work {
    const fn only_reads(&self) -> bool {
        matches!(self, Self::Statement { .. } | Self::IsRevoked { .. } | Self::Sessions { .. })
    }
}

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) database: Database,
    pub(super) rates: Arc<Rates>,
    pub(super) leases: Arc<Leases>,
    pub(super) clock: Clock,
    pub(super) keep: Duration,
    /// Whether the last write failed.
    pub(super) away: Arc<AtomicBool>,
}

impl Worker {
    /// Works until nobody can give it anything any more.
    pub(super) fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Work>) {
        let mut tidied: Option<Duration> = None;
        while let Some(first) = inbox.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                batch.push(next);
            }
            self.work(batch);
            let now = self.clock.steady();
            if tidied.is_none_or(|last| now.saturating_sub(last) >= TIDY) {
                tidied = Some(now);
                if let Err(error) = self.tidy() {
                    tracing::warn!(%error, "old records of the ledger could not be cleared away");
                }
            }
        }
    }

    fn work(&mut self, batch: Vec<Work>) {
        let (reads, writes): (Vec<_>, Vec<_>) = batch.into_iter().partition(Work::only_reads);
        let (decisions, written) = self.write(&writes);
        if written.is_err() && writes.len() > 1 {
            // One of them may be what cannot be written; it shall not take the others with it.
            for (work, decision) in writes.iter().zip(decisions) {
                self.undo(work, decision);
            }
            for work in writes {
                let (decisions, written) = self.write(std::slice::from_ref(&work));
                self.answer(work, decisions.into_iter().next().flatten(), written);
            }
        } else {
            let mut decisions = decisions.into_iter();
            for work in writes {
                self.answer(work, decisions.next().flatten(), written.clone());
            }
        }
        for work in reads {
            match work {
                Work::Statement { subject, month, reply } => {
                    let _ = reply.send(self.database.statement(&subject, month).map_err(|error| failed(&error)));
                }
                Work::IsRevoked { subject, token, reply } => {
                    let revoked = self.database.is_revoked(&subject, &token, self.clock.now());
                    let _ = reply.send(revoked.map_err(|error| failed(&error)));
                }
                Work::Sessions { creator, reply } => {
                    let sessions = self.database.sessions(&creator, self.clock.now());
                    let _ = reply.send(sessions.map_err(|error| failed(&error)));
                }
                _ => {}
            }
        }
    }

    /// Does it all in one transaction. If that fails, none of it happened.
    fn write(&mut self, batch: &[Work]) -> (Vec<Option<Decision>>, Result<(), StoreFailure>) {
        let mut decisions = Vec::with_capacity(batch.len());
        if batch.is_empty() {
            return (decisions, Ok(()));
        }
        let Self { database, rates, leases, clock, .. } = self;
        let mut changed = false;
        let written = database.begin().and_then(|writer| {
            for work in batch {
                decisions.push(match work {
                    Work::Admit { ask, .. } => Some(admit(&writer, rates, leases, clock.now(), ask)?),
                    Work::Settle { settlement, .. } => writer.settle(settlement).map(|()| None)?,
                    Work::Probe { .. } => writer.touch().map(|()| None)?,
                    Work::Revoke { revocation, .. } => writer.revoke(revocation).map(|()| None)?,
                    Work::OpenSession { creator, session, .. } => {
                        writer.open_session(creator, session).map(|()| None)?
                    }
                    Work::ForgetSession { creator, id, .. } => writer.forget_session(creator, id).map(|()| None)?,
                    Work::Statement { .. } | Work::IsRevoked { .. } | Work::Sessions { .. } => None,
                });
            }
            changed = writer.has_changes();
            writer.commit()
        });
        let written = written.map_err(|error| failed(&error));
        // A transaction in which nothing changed says nothing of the disk.
        if changed || written.is_err() {
            self.note(&written);
        }
        (decisions, written)
    }

    /// What was taken in this process for a request that could not be written down.
    fn undo(&self, work: &Work, decision: Option<Decision>) {
        if let (Work::Admit { ask, .. }, Some(Decision { denial: None, .. })) = (work, decision) {
            self.rates.give_back(&ask.subject, &ask.limits);
            self.leases.end(&ask.subject, ask.id);
        }
    }

    /// Says once that the file cannot be written to, and once that it can be again.
    fn note(&self, written: &Result<(), StoreFailure>) {
        let was_away = self.away.swap(written.is_err(), Ordering::Relaxed);
        match written {
            Err(cause) if !was_away => tracing::error!(%cause, "the embedded store cannot be written to"),
            Ok(()) if was_away => tracing::info!("the embedded store can be written to again"),
            _ => {}
        }
    }

    fn answer(&self, work: Work, decision: Option<Decision>, written: Result<(), StoreFailure>) {
        if written.is_err() {
            self.undo(&work, decision);
        }
        // Who does not wait any more settles what was decided.
        match (work, decision) {
            (Work::Admit { reply, .. }, Some(decision)) => {
                let _ = reply.send(written.map(|()| decision));
            }
            (Work::Admit { reply, .. }, None) => {
                let unwritten = written.err().unwrap_or(StoreFailure::Failed("it was not asked".to_owned()));
                let _ = reply.send(Err(unwritten));
            }
            (Work::Settle { settlement, reply }, _) => {
                if written.is_ok() {
                    self.leases.end(&settlement.subject, settlement.id);
                }
                let _ = reply.send(written);
            }
            (
                Work::Probe { reply }
                | Work::Revoke { reply, .. }
                | Work::OpenSession { reply, .. }
                | Work::ForgetSession { reply, .. },
                _,
            ) => {
                let _ = reply.send(written);
            }
            (Work::Statement { .. } | Work::IsRevoked { .. } | Work::Sessions { .. }, _) => {}
        }
    }

    fn tidy(&mut self) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let writer = self.database.begin()?;
        writer.abandon(now.minus(ABANDONED))?;
        writer.forget_ended(now)?;
        writer.commit()?;
        // As long as it takes, but in pieces, and not so long at once that anybody would notice.
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

/// Decides on one request and notes it, all or nothing.
fn admit(writer: &Writer<'_>, rates: &Rates, leases: &Leases, now: UnixMs, ask: &Ask) -> rusqlite::Result<Decision> {
    let (subject, limits) = (&ask.subject, &ask.limits);
    let entry = ask.entry(now);
    let mut spent = writer.spent(subject, Month::of(now))?;
    let mut denial = None;
    if !writer.knows(&entry)? {
        let full = limits.concurrent.is_some_and(|most| leases.in_flight(subject) >= most.get());
        let revoked = writer.is_revoked(subject, &ask.token, now)?;
        denial = revoked
            .then_some(Denial::Revoked)
            .or_else(|| rates.look(subject, limits).err())
            .or(full.then_some(Denial::Concurrency))
            .or(limits.exceeded(spent, ask.estimate));
        if let Some(session) = ask.session.as_ref().filter(|_| denial.is_none()) {
            let spent = writer.spent_in(subject, &session.id)?;
            denial = session.is_exceeded(spent, ask.estimate).then_some(Denial::Session);
        }
        if denial.is_none() {
            writer.open(&entry)?;
            if let Some(session) = &ask.session {
                let until = session.expires_at.max(now).plus(ask.lease);
                writer.charge_session(subject, &session.id, ask.estimate, Charge::NONE, Some(until))?;
            }
            // Only this thread takes, so what was there to be looked at is there to be taken.
            denial = rates.take(subject, limits).err();
            leases.add(subject, ask.id, ask.lease);
            spent = spent.plus(ask.estimate);
        }
    }
    let (requests, audio) = rates.standing(subject);
    let standing = Standing { requests, audio, in_flight: leases.in_flight(subject), spent };
    Ok(Decision { at: now, denial, standing })
}
