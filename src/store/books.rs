//! For the operator: what either store holds, read beside the gateways that write to it, and what tokens hold no longer.

use tokio::sync::mpsc;

use super::StoreFailure;
use super::embedded::{Reader, revoke_beside};
use super::redis::Redis;
use crate::config::{self, Namespace};
use crate::domain::Month;
use crate::domain::Subject;
use crate::identity::revocation::Revocation;
use crate::ledger::{Entry, Statement};
use crate::limits::clock::Clock;
use crate::limits::session::Session;

/// The books of one store.
#[derive(Debug)]
pub struct Books(Shelf);

#[derive(Debug)]
enum Shelf {
    /// Nothing was ever written.
    Empty,
    Embedded(Reader),
    Redis(Box<Redis>),
}

impl Books {
    /// Opens the books of these settings. To be called on a tokio runtime.
    pub fn open(settings: &config::Store) -> Result<Self, StoreFailure> {
        let shelf = match &settings.redis {
            None => Reader::open(&settings.data_dir, settings.namespace)?.map_or(Shelf::Empty, Shelf::Embedded),
            Some(redis) => {
                // What dead gateways left is for living ones to settle.
                let (nobody, _) = mpsc::unbounded_channel();
                let store = Redis::new(redis, settings.keep_records, Clock::system(), nobody);
                Shelf::Redis(Box::new(store.map_err(|error| StoreFailure::Failed(error.category().to_owned()))?))
            }
        };
        Ok(Self(shelf))
    }

    /// Revokes tokens for every gateway of this store. To be called on a tokio runtime.
    ///
    /// It is written to both sets of books: whether a gateway has a provider's key, which decides between them, may not be
    /// known where this is called, and a revocation that is written in vain does no harm.
    pub async fn revoke(settings: &config::Store, revocation: &Revocation) -> Result<(), StoreFailure> {
        let mut written = false;
        for namespace in Namespace::ALL {
            let settings = settings.clone().with_namespace(namespace);
            written |= match Self::open(&settings)?.0 {
                Shelf::Redis(books) => books.revoke(revocation).await.map(|()| true)?,
                Shelf::Empty | Shelf::Embedded(_) => revoke_beside(&settings.data_dir, namespace, revocation)?,
            };
        }
        let nothing = || StoreFailure::Failed(format!("no gateway has written to {} yet", settings.data_dir.display()));
        written.then_some(()).ok_or_else(nothing)
    }

    /// The session of this id that has not ended, whoever opened it. To be called on a tokio runtime.
    pub async fn session(settings: &config::Store, id: &str) -> Result<Option<Session>, StoreFailure> {
        for namespace in Namespace::ALL {
            let found = match Self::open(&settings.clone().with_namespace(namespace))?.0 {
                Shelf::Empty => None,
                Shelf::Embedded(books) => books.session(id)?,
                Shelf::Redis(books) => books.session(id).await?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Whether no gateway has ever written there, as far as that can be told.
    pub fn are_new(&self) -> bool {
        matches!(self.0, Shelf::Empty)
    }

    /// Everyone who was charged in a month, in order.
    pub async fn subjects(&self, month: Month) -> Result<Vec<Subject>, StoreFailure> {
        match &self.0 {
            Shelf::Empty => Ok(Vec::new()),
            Shelf::Embedded(books) => books.subjects(month),
            Shelf::Redis(books) => books.subjects(month).await,
        }
    }

    /// What one caller used in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreFailure> {
        match &self.0 {
            Shelf::Empty => Ok(Statement::empty(subject.clone(), month)),
            Shelf::Embedded(books) => books.statement(subject, month),
            Shelf::Redis(books) => books.statement(subject, month).await,
        }
    }

    /// The records of one caller, or of all, that were admitted in a month, oldest first, those that are open among them.
    pub async fn entries(&self, subject: Option<&Subject>, month: Month) -> Result<Vec<Entry>, StoreFailure> {
        match &self.0 {
            Shelf::Empty => Ok(Vec::new()),
            Shelf::Embedded(books) => books.entries(subject, month),
            Shelf::Redis(books) => books.entries(subject, month).await,
        }
    }
}
