//! The embedded store.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::budgets::{self, BudgetDecision, BudgetRevision};
use super::database::{Database, RevocationSum};
use super::error::OpenError;
use super::jobs::too_late;
use super::lock::DirectoryLock;
use super::reservation::LocalReservation;
use super::threads::{Threads, ThreadsToStart};
use crate::config::Namespace;
use crate::domain::{Month, Subject, UnixMs};
use crate::identity::known_revocations::KnownRevocations;
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::{Entry, Statement, Totals};
use crate::limits::clock::Clock;
use crate::limits::leases::{Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionDenial, SessionPage, SessionRequest};
use crate::limits::{AccountUsage, AdmitRequest, Decision, Limits, ReviseRequest, RevisionDecision, Settlement};
use crate::private_dir;
use crate::store::StoreError;

/// The endings of the names of the files that SQLite keeps beside its file.
const BESIDE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The embedded store.
#[derive(Debug)]
pub struct Embedded {
    threads: Threads,
    rates: Arc<Rates>,
    leases: Arc<Leases>,
    clock: Clock,
    /// The sum of the revocations in the file when they were last read.
    revocations: Mutex<Option<RevocationSum>>,
    directory: PathBuf,
    /// The lock on the directory, held as long as the store is open.
    lock: DirectoryLock,
    /// True if the directory is gone: writes go to files without a name.
    directory_gone: AtomicBool,
}

impl Embedded {
    /// Opens the ledger of `namespace` in `directory`, which no other process may have open, and keeps its records for
    /// `keep`.
    pub fn open(
        directory: &Path,
        namespace: Namespace,
        keep: Duration,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let (store, threads) = Self::prepare(directory, namespace, keep, rates, leases, clock)?;
        threads.start().map_err(|error| OpenError::Directory { directory: directory.to_owned(), error })?;
        Ok(store)
    }

    /// Creates the store, and the state of its threads.
    pub(super) fn prepare(
        directory: &Path,
        namespace: Namespace,
        keep: Duration,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        clock: Clock,
    ) -> Result<(Self, ThreadsToStart), OpenError> {
        let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
        private_dir::make(directory).map_err(unusable)?;
        let lock = DirectoryLock::acquire(directory)?;
        let file = directory.join(namespace.database());
        // SQLite would let every user read the file; the files that SQLite creates beside it take its permissions.
        private_dir::open(&file, OpenOptions::new().append(true).create(true)).map_err(unusable)?;
        for beside in BESIDE_DATABASE {
            private_dir::check_if_there(&directory.join(format!("{}{beside}", namespace.database())))
                .map_err(unusable)?;
        }
        let unreadable = |error| OpenError::Database { file: file.clone(), error };
        let database = Database::open(&file).map_err(unreadable)?;
        let for_reads = Database::open_for_reads(&file).map_err(unreadable)?;
        let (threads, to_start) = ThreadsToStart::new(database, for_reads, &clock, keep);
        let (directory, directory_gone, revocations) = (directory.to_owned(), AtomicBool::new(false), Mutex::default());
        Ok((Self { threads, rates, leases, clock, revocations, directory, lock, directory_gone }, to_start))
    }

    /// See [`Store::admit`](crate::store::Store::admit).
    pub(in crate::store) async fn admit(&self, request: Arc<AdmitRequest>) -> Result<Decision, StoreError> {
        self.check_writable()?;
        let reservation = LocalReservation::take(&self.rates, &self.leases, Arc::clone(&request));
        let local_denial = reservation.denial();
        let asked = Arc::clone(&request);
        let decided = self.threads.decide("admit", move |context| {
            if context.voided.contains(asked.id) {
                return Ok(Err(too_late()));
            }
            budgets::admit(context.writer, context.now, &asked, local_denial).map(Ok)
        });
        let decided = decided.await;
        if matches!(decided, Ok(BudgetDecision { denial: None, was_known: false, .. })) {
            reservation.keep();
        } else {
            reservation.give_back();
        }
        let BudgetDecision { at, denial, spent, .. } = decided?;
        let reset = self.rates.time_until_full(&request.subject);
        let in_flight = self.leases.in_flight(&request.subject);
        let account = AccountUsage { reset, in_flight, spent };
        Ok(Decision { at, denial, account })
    }

    /// See [`Store::revise`](crate::store::Store::revise).
    pub(in crate::store) async fn revise(&self, request: Arc<ReviseRequest>) -> Result<RevisionDecision, StoreError> {
        self.check_writable()?;
        let ReviseRequest { id, subject, limits, lease, .. } = &*request;
        let rate = self.rates.take(subject, limits);
        let (asked, denial) = (Arc::clone(&request), rate.err());
        let revised = self
            .threads
            .decide("revise", move |context| budgets::revise(context.writer, context.now, &asked, denial).map(Ok));
        let revised = revised.await;
        if matches!(revised, Ok(BudgetRevision { is_new: true, .. })) {
            self.leases.renew(subject, *id, *lease, Granted::ByStore);
        } else if rate.is_ok() {
            self.rates.give_back(subject, limits);
        }
        let BudgetRevision { at, outcome, spent, .. } = revised?;
        let (reset, in_flight) = (self.rates.time_until_full(subject), self.leases.in_flight(subject));
        Ok(RevisionDecision { at, outcome, account: AccountUsage { reset, in_flight, spent } })
    }

    /// See [`Store::settle`](crate::store::Store::settle).
    pub(in crate::store) async fn settle(&self, settlement: Arc<Settlement>) -> Result<(), StoreError> {
        self.check_writable()?;
        let (written, clock) = (Arc::clone(&settlement), self.clock.clone());
        let settled = self.threads.write("settle", move |context| {
            if written.is_void() {
                context.voided.add(written.id, clock.steady());
            }
            context.writer.settle(&written)
        });
        settled.await?;
        self.leases.end(&settlement.subject, settlement.id);
        Ok(())
    }

    pub(in crate::store) async fn is_revoked(&self, subject: &Subject, token: TokenRef) -> Result<bool, StoreError> {
        let subject = subject.clone();
        self.threads.read_written(move |database, now| database.is_revoked(&subject, &token, now)).await
    }

    /// See [`Store::follow_revocations`](crate::store::Store::follow_revocations). The file loses no revocation.
    pub(in crate::store) async fn follow_revocations(&self, known: &KnownRevocations) -> Result<(), StoreError> {
        let seen = *self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.threads.read_written(move |database, now| database.revocations(seen, now)).await?;
        let Some((sum, revocations)) = read else { return Ok(()) };
        let now = self.clock.now();
        for revocation in &revocations {
            known.add(revocation, now);
        }
        *self.revocations.lock().unwrap_or_else(PoisonError::into_inner) = Some(sum);
        Ok(())
    }

    pub(in crate::store) async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.check_writable()?;
        self.threads.write("revoke", move |context| context.writer.revoke(&revocation)).await
    }

    /// See [`Store::open_session`](crate::store::Store::open_session).
    pub(in crate::store) async fn open_session(
        &self,
        request: Arc<SessionRequest>,
    ) -> Result<SessionDecision, StoreError> {
        self.check_writable()?;
        let (maker, limits) = (&request.maker, Limits::of_requests(request.requests));
        // Refuse a flood here, before it reaches the thread.
        let denial = if let Err(wait) = self.rates.take_request(maker, request.requests) {
            Some(SessionDenial::Requests { wait })
        } else {
            let asked = Arc::clone(&request);
            let opened = self
                .threads
                .decide("open_session", move |context| context.writer.open_session(&asked, context.now).map(Ok));
            let opened = opened.await;
            if !matches!(opened, Ok(None)) {
                self.rates.give_back(maker, &limits);
            }
            opened?
        };
        Ok(SessionDecision { denial, reset: self.rates.time_until_full(maker).requests })
    }

    /// See [`Store::forget_session`](crate::store::Store::forget_session).
    pub(in crate::store) async fn forget_session(&self, maker: &Subject, id: &str) -> Result<(), StoreError> {
        self.check_writable()?;
        let (maker, id) = (maker.clone(), id.to_owned());
        self.threads.write("forget_session", move |context| context.writer.forget_session(&maker, &id)).await
    }

    /// See [`Store::sessions`](crate::store::Store::sessions).
    pub(in crate::store) async fn sessions(
        &self,
        maker: &Subject,
        page: PageRequest,
    ) -> Result<SessionPage, StoreError> {
        let maker = maker.clone();
        self.threads.read(move |database, now| database.sessions(&maker, &page, now)).await
    }

    /// See [`Store::session`](crate::store::Store::session).
    pub(in crate::store) async fn session_of(&self, maker: &Subject, id: &str) -> Result<Option<Session>, StoreError> {
        let (maker, id) = (maker.clone(), id.to_owned());
        self.threads.read(move |database, now| database.session_of(&maker, &id, now)).await
    }

    pub(in crate::store) async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        let subject = subject.clone();
        self.threads.read(move |database, _| database.statement(&subject, month)).await
    }

    /// See [`Store::request`](crate::store::Store::request).
    pub(in crate::store) async fn request(&self, subject: &Subject, id: &str) -> Result<Option<Entry>, StoreError> {
        let (subject, id) = (subject.clone(), id.to_owned());
        self.threads.read(move |database, _| database.request(&subject, &id)).await
    }

    /// See [`Store::totals`](crate::store::Store::totals).
    pub(in crate::store) async fn totals(&self, month: Month) -> Result<Totals, StoreError> {
        self.threads.read(move |database, _| database.totals(month)).await
    }

    /// See [`Store::recent`](crate::store::Store::recent).
    pub(in crate::store) async fn recent(&self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.threads.read(move |database, _| database.recent(limit)).await
    }

    pub(in crate::store) fn is_down(&self) -> bool {
        self.threads.health.is_down() || self.directory_gone.load(Ordering::Relaxed)
    }

    /// Fails at once if writes are known to fail.
    fn check_writable(&self) -> Result<(), StoreError> {
        if self.threads.health.is_down() { Err(StoreError::Unavailable) } else { Ok(()) }
    }

    /// Probes a file that could not be written, and checks that the directory is still the one that was opened.
    pub(in crate::store) async fn maintain(&self) {
        if self.threads.health.is_down() {
            self.threads.probe().await;
        }
        if self.lock.is_gone() && !self.directory_gone.swap(true, Ordering::Relaxed) {
            let directory = self.directory.display();
            tracing::error!(%directory, "the data directory was taken away; what is written to it will be lost");
        }
    }

    pub(in crate::store) fn now(&self) -> UnixMs {
        self.clock.now()
    }

    pub(in crate::store) fn owns(&self, rates: &Arc<Rates>) -> bool {
        Arc::ptr_eq(&self.rates, rates)
    }

    /// Does any write on the thread.
    #[cfg(test)]
    pub(super) async fn write_for_test(
        &self,
        work: impl FnMut(&mut super::jobs::WriteContext<'_>) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.threads.write("test", work).await
    }
}
