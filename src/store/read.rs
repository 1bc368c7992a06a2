//! Reads and revocations for the operator, beside the gateways that write to either store.

use tokio::sync::mpsc;

use super::embedded::{Reader, revoke_beside};
use super::error::StoreError;
use super::redis::Redis;
use crate::config::{self, Namespace};
use crate::domain::{Month, Subject};
use crate::identity::revocation::Revocation;
use crate::ledger::{Entry, Statement};
use crate::limits::clock::Clock;
use crate::limits::session::Session;

/// The ledger of one store.
#[derive(Debug)]
pub struct LedgerReader(LedgerBackend);

#[derive(Debug)]
enum LedgerBackend {
    /// An empty ledger: a gateway has never written there.
    Empty,
    Embedded(Reader),
    Redis(Box<Redis>),
}

impl LedgerReader {
    /// Opens the ledger of these settings. Call it on a tokio runtime.
    pub fn open(settings: &config::Store) -> Result<Self, StoreError> {
        let backend = match &settings.redis {
            None => Reader::open(&settings.data_dir, settings.namespace)?
                .map_or(LedgerBackend::Empty, LedgerBackend::Embedded),
            Some(redis) => {
                // Living gateways, not this reader, settle the permits of dead ones.
                let (unused, _) = mpsc::unbounded_channel();
                let store = Redis::new(redis, settings.keep_records, Clock::system(), unused);
                LedgerBackend::Redis(Box::new(store.map_err(|error| StoreError::Io(error.category().to_owned()))?))
            }
        };
        Ok(Self(backend))
    }

    /// Revokes tokens for every gateway of this store. Call it on a tokio runtime.
    ///
    /// The revocation goes to both ledgers, live and sandbox: a gateway uses one of them, depending on whether it has a
    /// provider's key. The caller of this function may not know that, and a superfluous revocation does no harm.
    pub async fn revoke(settings: &config::Store, revocation: &Revocation) -> Result<(), StoreError> {
        let mut written = false;
        for namespace in Namespace::ALL {
            let settings = settings.clone().with_namespace(namespace);
            written |= match Self::open(&settings)?.0 {
                LedgerBackend::Redis(ledger) => ledger.revoke(revocation).await.map(|()| true)?,
                LedgerBackend::Empty | LedgerBackend::Embedded(_) => {
                    revoke_beside(&settings.data_dir, namespace, revocation)?
                }
            };
        }
        let nothing = || StoreError::Io(format!("no gateway has written to {} yet", settings.data_dir.display()));
        written.then_some(()).ok_or_else(nothing)
    }

    /// Returns the session of this id, of any maker, unless it has ended. Call it on a tokio runtime.
    pub async fn session(settings: &config::Store, id: &str) -> Result<Option<Session>, StoreError> {
        for namespace in Namespace::ALL {
            let found = match Self::open(&settings.clone().with_namespace(namespace))?.0 {
                LedgerBackend::Empty => None,
                LedgerBackend::Embedded(ledger) => ledger.session(id)?,
                LedgerBackend::Redis(ledger) => ledger.session(id).await?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns true if a gateway has never written there, as far as that can be told.
    pub fn is_new(&self) -> bool {
        matches!(self.0, LedgerBackend::Empty)
    }

    /// Returns every caller that was charged in a month, in order.
    pub async fn subjects(&self, month: Month) -> Result<Vec<Subject>, StoreError> {
        match &self.0 {
            LedgerBackend::Empty => Ok(Vec::new()),
            LedgerBackend::Embedded(ledger) => ledger.subjects(month),
            LedgerBackend::Redis(ledger) => ledger.subjects(month).await,
        }
    }

    /// Returns a caller's usage in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        match &self.0 {
            LedgerBackend::Empty => Ok(Statement::empty(subject.clone(), month)),
            LedgerBackend::Embedded(ledger) => ledger.statement(subject, month),
            LedgerBackend::Redis(ledger) => ledger.statement(subject, month).await,
        }
    }

    /// Returns the records of one caller, or of all, that were admitted in a month, oldest first, open ones included.
    pub async fn entries(&self, subject: Option<&Subject>, month: Month) -> Result<Vec<Entry>, StoreError> {
        match &self.0 {
            LedgerBackend::Empty => Ok(Vec::new()),
            LedgerBackend::Embedded(ledger) => ledger.entries(subject, month),
            LedgerBackend::Redis(ledger) => ledger.entries(subject, month).await,
        }
    }
}
