//! The embedded store: rates and leases in this process, budgets and the ledger in a SQLite file.
//!
//! One thread owns the file and does its work in the order of arrival, so that a decision and its charge are one step.
//! Work that waits together is committed together: one write to the disk serves many requests. A request takes its
//! rates and its lease in the process before it asks the thread, and gives them back if it is refused or gets no
//! answer. A second thread does the reads that can take long, so that no request waits for them at admission.

#[cfg(test)]
mod by_hand;
mod database;
mod health;
mod held;
mod probe;
mod reader;
mod reads;
mod worker;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

#[cfg(test)]
pub(crate) use by_hand::Line;
pub use probe::{Found, try_directory};
pub(crate) use reader::{Reader, revoke_beside};

use super::StoreError;
use crate::config::Namespace;
use crate::domain::{Month, Subject, UnixMs};
use crate::identity::known_revocations::KnownRevocations;
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::Statement;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionDenial, SessionPage, SessionRequest};
use crate::limits::{AccountUsage, AdmitRequest, Decision, Denial, Limits, Settlement};
use crate::private_dir;
use database::Database;
use health::Health;
use held::Held;
use reads::{MAX_WAITING_READS, Question, Reads};
use worker::{Answer, Reply, RevocationSum, Work, Worker};

/// The time after which a request stops waiting for the disk.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of pieces of work that wait for the thread: more than all requests in flight ask for at once.
/// Beyond it the thread is not asked.
const MAX_QUEUE: usize = 16 * 1024;
const LOCK: &str = "voxgate.lock";
/// The endings of the names of the files that SQLite keeps beside its file.
const BESIDE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// An error that keeps the embedded store from opening.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error(
        "{} is in use by another voxgate (process {holder}); give each its own VOXGATE_DATA_DIR, or set REDIS_URL for \
         gateways that share their limits", .directory.display()
    )]
    Taken {
        /// The data directory.
        directory: PathBuf,
        /// The other process, as far as its lock file names it.
        holder: String,
    },
    /// The data directory cannot be used.
    #[error("VOXGATE_DATA_DIR: {} cannot be used: {error}", .directory.display())]
    Directory {
        /// The data directory.
        directory: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The database file cannot be used.
    #[error("VOXGATE_DATA_DIR: {} cannot be used: {error}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// The error of SQLite.
        error: rusqlite::Error,
    },
}

/// The embedded store.
#[derive(Debug)]
pub struct Embedded {
    inbox: mpsc::Sender<Work>,
    reads: mpsc::Sender<Question>,
    rates: Arc<Rates>,
    leases: Arc<Leases>,
    clock: Clock,
    health: Arc<Health>,
    /// The sum of the revocations in the file when they were last read.
    revocations: Mutex<Option<RevocationSum>>,
    directory: PathBuf,
    /// The lock on the directory, held as long as the store is open.
    lock: File,
    /// True if the directory is gone: writes go to files without a name.
    lost: AtomicBool,
}

/// The state and the inboxes of the two threads of a store.
struct Threads {
    worker: Worker,
    work: mpsc::Receiver<Work>,
    reads: Reads,
    questions: mpsc::Receiver<Question>,
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
        let (store, Threads { worker, work, reads, questions }) =
            Self::prepare(directory, namespace, keep, rates, leases, clock)?;
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
        thread("voxgate-store").spawn(move || worker.run(work)).map_err(unusable)?;
        thread("voxgate-reads").spawn(move || reads.run(questions)).map_err(unusable)?;
        Ok(store)
    }

    /// Creates the store, and the state of its threads.
    fn prepare(
        directory: &Path,
        namespace: Namespace,
        keep: Duration,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        clock: Clock,
    ) -> Result<(Self, Threads), OpenError> {
        let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
        private_dir::make(directory).map_err(unusable)?;
        let lock = lock(directory)?;
        let file = directory.join(namespace.database());
        // SQLite would let every user read the file; the files that SQLite creates beside it take its permissions.
        private_dir::open(&file, OpenOptions::new().append(true).create(true)).map_err(unusable)?;
        for beside in BESIDE_DATABASE {
            private_dir::check_if_there(&directory.join(format!("{}{beside}", namespace.database())))
                .map_err(unusable)?;
        }
        let unreadable = |error| OpenError::Database { file: file.clone(), error };
        let database = Database::open(&file).map_err(unreadable)?;
        let reads = Reads::new(Database::open_for_reads(&file).map_err(unreadable)?, clock.clone());
        let (inbox, work) = mpsc::channel(MAX_QUEUE);
        let (questions_inbox, questions) = mpsc::channel(MAX_WAITING_READS);
        let health = Arc::new(Health::default());
        let worker = Worker::new(database, clock.clone(), keep, Arc::clone(&health));
        let (directory, lost, revocations) = (directory.to_owned(), AtomicBool::new(false), Mutex::default());
        let threads = Threads { worker, work, reads, questions };
        let reads = questions_inbox;
        Ok((Self { inbox, reads, rates, leases, clock, health, revocations, directory, lock, lost }, threads))
    }

    /// See [`Store::admit`](super::Store::admit).
    pub(super) async fn admit(&self, ask: Arc<AdmitRequest>) -> Result<Decision, StoreError> {
        self.check_writable()?;
        let held = Held::take(&self.rates, &self.leases, Arc::clone(&ask));
        let denial = held.denial();
        let answer = self.ask(|reply| Work::Admit { ask: Arc::clone(&ask), denial, reply }).await;
        let denial = match &answer {
            Ok(Answer { denial: None, was_known: false, .. }) => {
                held.keep();
                None
            }
            Ok(Answer { denial, .. }) => {
                held.give_back();
                *denial
            }
            Err(_) => {
                held.give_back();
                None
            }
        };
        let Answer { at, spent, .. } = answer?;
        let (requests, audio) = self.rates.standing(&ask.subject);
        let in_flight = self.leases.in_flight(&ask.subject);
        Ok(Decision { at, denial, standing: AccountUsage { requests, audio, in_flight, spent } })
    }

    /// See [`Store::settle`](super::Store::settle).
    pub(super) async fn settle(&self, settlement: Arc<Settlement>) -> Result<(), StoreError> {
        self.check_writable()?;
        self.ask(|reply| Work::Settle { settlement: Arc::clone(&settlement), reply }).await?;
        self.leases.end(&settlement.subject, settlement.id);
        Ok(())
    }

    pub(super) async fn is_revoked(&self, subject: &Subject, token: TokenRef) -> Result<bool, StoreError> {
        let subject = subject.clone();
        self.ask(|reply| Work::IsRevoked { subject, token, reply }).await
    }

    /// See [`Store::follow_revocations`](super::Store::follow_revocations). The file loses no revocation.
    pub(super) async fn follow_revocations(&self, known: &KnownRevocations) -> Result<(), StoreError> {
        let seen = *self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((sum, revocations)) = self.ask(|reply| Work::Revocations { seen, reply }).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        for revocation in &revocations {
            known.add(revocation, now);
        }
        *self.revocations.lock().unwrap_or_else(PoisonError::into_inner) = Some(sum);
        Ok(())
    }

    pub(super) async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.check_writable()?;
        self.ask(|reply| Work::Revoke { revocation, reply }).await
    }

    /// See [`Store::open_session`](super::Store::open_session).
    pub(super) async fn open_session(&self, request: Arc<SessionRequest>) -> Result<SessionDecision, StoreError> {
        self.check_writable()?;
        let (maker, limits) = (&request.maker, Limits { requests: request.requests, ..Limits::default() });
        // Refuse a flood here, before it reaches the thread.
        let denial = if let Err(Denial::Requests { wait }) = self.rates.take(maker, &limits) {
            Some(SessionDenial::Requests { wait })
        } else {
            let answer = self.ask(|reply| Work::OpenSession { request: Arc::clone(&request), reply }).await;
            if !matches!(answer, Ok(None)) {
                self.rates.give_back(maker, &limits);
            }
            answer?
        };
        Ok(SessionDecision { denial, standing: self.rates.standing(maker).0 })
    }

    /// See [`Store::forget_session`](super::Store::forget_session).
    pub(super) async fn forget_session(&self, maker: &Subject, id: &str) -> Result<(), StoreError> {
        self.check_writable()?;
        let (maker, id) = (maker.clone(), id.to_owned());
        self.ask(|reply| Work::ForgetSession { maker, id, reply }).await
    }

    /// See [`Store::sessions`](super::Store::sessions).
    pub(super) async fn sessions(&self, maker: &Subject, page: PageRequest) -> Result<SessionPage, StoreError> {
        let maker = maker.clone();
        self.read(|reply| Question::Sessions { maker, page, reply }).await
    }

    /// See [`Store::session`](super::Store::session).
    pub(super) async fn session_of(&self, maker: &Subject, id: &str) -> Result<Option<Session>, StoreError> {
        let (maker, id) = (maker.clone(), id.to_owned());
        self.read(|reply| Question::Session { maker, id, reply }).await
    }

    pub(super) async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        let subject = subject.clone();
        self.read(|reply| Question::Statement { subject, month, reply }).await
    }

    pub(super) fn is_away(&self) -> bool {
        self.health.is_away() || self.lost.load(Ordering::Relaxed)
    }

    /// Fails at once if writes are known to fail.
    fn check_writable(&self) -> Result<(), StoreError> {
        if self.health.is_away() { Err(StoreError::Away) } else { Ok(()) }
    }

    /// Probes a file that could not be written, and checks that the directory is still the one that was opened.
    pub(super) async fn look_after(&self) {
        if self.health.is_away() {
            // The thread itself notes the result.
            let _ = self.put(|reply| Work::Probe { reply }).await;
        }
        let ours = self.lock.metadata().map(|file| file.ino()).ok();
        let there = fs::metadata(self.directory.join(LOCK)).map(|file| file.ino()).ok();
        let lost = ours != there;
        if lost && !self.lost.swap(lost, Ordering::Relaxed) {
            let directory = self.directory.display();
            tracing::error!(%directory, "the data directory was taken away; what is written to it will be lost");
        }
    }

    pub(super) fn now(&self) -> UnixMs {
        self.clock.now()
    }

    pub(super) fn owns(&self, rates: &Arc<Rates>) -> bool {
        Arc::ptr_eq(&self.rates, rates)
    }

    /// Asks the thread, unless it is known to stand still.
    async fn ask<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, StoreError> {
        if self.health.is_stalled() {
            return Err(StoreError::Away);
        }
        self.put(work).await
    }

    /// Asks the reading thread, unless the store is known to stand still.
    async fn read<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Result<T, StoreError> {
        if self.health.is_stalled() {
            return Err(StoreError::Away);
        }
        let (reply, answer) = oneshot::channel();
        // A full or closed inbox of reads says nothing about writes.
        self.reads.try_send(question(reply)).map_err(|_| StoreError::Away)?;
        match timeout(STORE_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Failed("its thread for reads has ended".to_owned())),
            Err(_) => Err(StoreError::Slow),
        }
    }

    /// Asks the thread, whatever its known state.
    async fn put<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        match self.inbox.try_send(work(reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreError::Away),
            Err(TrySendError::Closed(_)) => return Err(self.has_ended()),
        }
        match timeout(STORE_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.has_ended()),
            Err(_) => {
                self.health.did_not_answer(&StoreError::Slow);
                Err(StoreError::Slow)
            }
        }
    }

    fn has_ended(&self) -> StoreError {
        let failure = StoreError::Failed("its thread has ended".to_owned());
        self.health.did_not_answer(&failure);
        failure
    }
}

/// Locks the directory for this process, until the returned file is closed.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = private_dir::open(&directory.join(LOCK), &mut options).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {
            // For the error message of a second process.
            let said =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
            said.map_err(unusable)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            Err(OpenError::Taken { directory: directory.to_owned(), holder: holder(&mut file) })
        }
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Returns the process that has the lock, as far as the lock file names it.
fn holder(lock: &mut File) -> String {
    let mut holder = String::new();
    let read = lock.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    if read { holder.trim().to_owned() } else { "unknown".to_owned() }
}
