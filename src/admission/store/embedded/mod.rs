//! The embedded store: rates and leases in this process, budgets and the ledger in a SQLite file.
//!
//! One thread owns the file and works through what it is given in the order in which it came, so that a decision and its
//! charge are one step. What waits together is committed together: one write to the disk serves many requests.

mod database;
mod reader;
mod trial;
mod worker;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(super) use reader::{Reader, revoke_beside};
pub use trial::{Found, try_directory};

use super::{Settlement, StoreFailure};
use crate::admission::clock::Clock;
use crate::admission::leases::Leases;
use crate::admission::limits::{Ask, Decision};
use crate::admission::rates::Rates;
use crate::admission::revocation::{Revocation, TokenMark};
use crate::admission::session::Session;
use crate::config::Namespace;
use crate::identity::Subject;
use crate::ledger::Statement;
use crate::units::{Month, UnixMs};
use database::Database;
use worker::{Work, Worker};

/// The longest that anybody waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);
const LOCK: &str = "voxgate.lock";

/// Why the embedded store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{} is in use by another voxgate (process {holder}); give each its own VOXGATE_DATA_DIR, or set REDIS_URL for \
         gateways that share their limits", .directory.display()
    )]
    Taken {
        /// The data directory.
        directory: PathBuf,
        /// The other process, as far as it said.
        holder: String,
    },
    /// Its directory cannot be used.
    #[error("VOXGATE_DATA_DIR: {} cannot be used: {error}", .directory.display())]
    Directory {
        /// The data directory.
        directory: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Its file cannot be used.
    #[error("VOXGATE_DATA_DIR: {} cannot be used: {error}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
}

/// The store.
#[derive(Debug)]
pub struct Embedded {
    inbox: mpsc::UnboundedSender<Work>,
    rates: Arc<Rates>,
    clock: Clock,
    away: Arc<AtomicBool>,
    directory: PathBuf,
    /// Held as long as the store is open.
    lock: File,
    /// Whether the directory is no longer there: what is written goes to files without a name.
    lost: AtomicBool,
}

impl Embedded {
    /// Opens the books of `namespace` in `directory`, which no other process may have open, and keeps its records for
    /// `keep`.
    pub fn open(
        directory: &Path,
        namespace: Namespace,
        keep: Duration,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
        let lock = lock(directory)?;
        let file = directory.join(namespace.database());
        // SQLite would let everybody read it; the files that it makes beside it are as this one is.
        OpenOptions::new().append(true).create(true).mode(0o600).open(&file).map_err(unusable)?;
        let database = Database::open(&file).map_err(|error| OpenError::Database { file, error })?;
        let (inbox, work) = mpsc::unbounded_channel();
        let away = Arc::new(AtomicBool::new(false));
        let worker =
            Worker { database, rates: Arc::clone(&rates), leases, clock: clock.clone(), keep, away: Arc::clone(&away) };
        let thread = std::thread::Builder::new().name("voxgate-store".to_owned());
        thread.spawn(move || worker.run(work)).map_err(unusable)?;
        let (directory, lost) = (directory.to_owned(), AtomicBool::new(false));
        Ok(Self { inbox, rates, clock, away, directory, lock, lost })
    }

    /// See [`Store::admit`](super::Store::admit).
    pub(super) async fn admit(&self, ask: Arc<Ask>) -> Result<Decision, StoreFailure> {
        self.ask(|reply| Work::Admit { ask, reply }).await
    }

    /// See [`Store::settle`](super::Store::settle).
    pub(super) async fn settle(&self, settlement: Arc<Settlement>) -> Result<(), StoreFailure> {
        self.ask(|reply| Work::Settle { settlement, reply }).await
    }

    pub(super) async fn is_revoked(&self, subject: &Subject, token: TokenMark) -> Result<bool, StoreFailure> {
        let subject = subject.clone();
        self.ask(|reply| Work::IsRevoked { subject, token, reply }).await
    }

    pub(super) async fn revoke(&self, revocation: Revocation) -> Result<(), StoreFailure> {
        self.ask(|reply| Work::Revoke { revocation, reply }).await
    }

    pub(super) async fn open_session(&self, creator: &Subject, session: Session) -> Result<(), StoreFailure> {
        let creator = creator.clone();
        self.ask(|reply| Work::OpenSession { creator, session: Box::new(session), reply }).await
    }

    pub(super) async fn forget_session(&self, creator: &Subject, session: &Session) -> Result<(), StoreFailure> {
        let (creator, id) = (creator.clone(), session.id.clone());
        self.ask(|reply| Work::ForgetSession { creator, id, reply }).await
    }

    pub(super) async fn sessions(&self, creator: &Subject) -> Result<Vec<Session>, StoreFailure> {
        let creator = creator.clone();
        self.ask(|reply| Work::Sessions { creator, reply }).await
    }

    pub(super) async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreFailure> {
        let subject = subject.clone();
        self.ask(|reply| Work::Statement { subject, month, reply }).await
    }

    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed) || self.lost.load(Ordering::Relaxed)
    }

    /// Tries a file that could not be written to, and sees whether the directory is still the one that was opened.
    pub(super) async fn look_after(&self) {
        if self.away.load(Ordering::Relaxed) {
            // What it says is noted where it is tried.
            let _ = self.ask(|reply| Work::Probe { reply }).await;
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

    async fn ask<T>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T, StoreFailure>>) -> Work,
    ) -> Result<T, StoreFailure> {
        let gone = || StoreFailure::Failed("its thread has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        let asked = self.inbox.send(work(reply)).map_err(|_| gone());
        let answer = match asked {
            Ok(()) => timeout(PATIENCE, answer).await.map_err(|_| StoreFailure::Slow),
            Err(failure) => Err(failure),
        };
        let answer = answer.and_then(|answer| answer.map_err(|_| gone()));
        if let Err(cause) = &answer
            && !self.away.swap(true, Ordering::Relaxed)
        {
            // A disk that stands still, or a thread that has died.
            tracing::error!(%cause, "the embedded store is away");
        }
        answer?
    }
}

/// Takes the directory for this process, until the file that is returned is closed.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(directory.join(LOCK)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {
            // For the message that the next one gets.
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

/// The process that has the lock, as far as it said.
fn holder(lock: &mut File) -> String {
    let mut holder = String::new();
    let read = lock.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    if read { holder.trim().to_owned() } else { "unknown".to_owned() }
}
