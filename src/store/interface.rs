//! The operations of a store, embedded or Redis.

use std::sync::Arc;

use super::embedded::Embedded;
use super::error::{Availability, StoreError};
use super::redis::Redis;
#[cfg(test)]
use super::tests::Unreliable;
use super::timed::{Operation, timed};
use crate::domain::{Month, Subject, UnixMs};
use crate::identity::known_revocations::KnownRevocations;
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::{Entry, Statement, Totals};
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionPage, SessionRequest};
use crate::limits::{AdmitRequest, Decision, ReviseRequest, RevisionDecision, Settlement};

/// A store, embedded or Redis.
#[derive(Debug)]
pub enum Store {
    /// The store in this process and one file.
    Embedded(Embedded),
    /// The store in Redis.
    Redis(Redis),
    /// A store behind a connection that fails as a test demands.
    #[cfg(test)]
    Unreliable(Unreliable),
}

impl Store {
    /// Decides on a request. An admitted request takes its rates, its lease and its estimate in the same step; a
    /// refused request takes nothing. Asked again with the same permit, the store gives the same answer and takes
    /// nothing more.
    pub async fn admit(&self, request: Arc<AdmitRequest>) -> Result<Decision, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.admit(request).await,
                Self::Redis(store) => store.admit(&request).await,
                #[cfg(test)]
                Self::Unreliable(store) => store.admit(request).await,
            }
        };
        timed(Operation::Admit, done).await
    }

    /// Sets the charge of an open permit to another amount, if the limits allow it, and renews its lease, in one step; a
    /// refused change changes nothing. The store makes each change of a permit once, and none after a later one: asked
    /// again, it says the same and changes nothing. A settlement ends all changes, however late they come.
    pub async fn revise(&self, request: Arc<ReviseRequest>) -> Result<RevisionDecision, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.revise(request).await,
                Self::Redis(store) => store.revise(&request).await,
                #[cfg(test)]
                Self::Unreliable(store) => store.revise(request).await,
            }
        };
        timed(Operation::Revise, done).await
    }

    /// Replaces the charge, as the store knows it, by the real cost, writes the record and ends the lease; or takes everything back, if the
    /// settlement is void. The store does this once per permit, however often it is asked: Redis for as long as it
    /// keeps a mark of the permit (24 hours) or finds its record (`ledger.keep_days`), SQLite for as long as it keeps
    /// the record.
    pub async fn settle(&self, settlement: Arc<Settlement>) -> Result<(), StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.settle(settlement).await,
                Self::Redis(store) => store.settle(&settlement).await,
                #[cfg(test)]
                Self::Unreliable(store) => store.settle(settlement).await,
            }
        };
        timed(Operation::Settle, done).await
    }

    /// Returns true if a caller's token is revoked. [`Store::admit`] checks the token of a request itself.
    pub async fn is_revoked(&self, subject: &Subject, token: TokenRef) -> Result<bool, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.is_revoked(subject, token).await,
                Self::Redis(store) => store.is_revoked(subject, &token).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().is_revoked(subject, token)).await,
            }
        };
        timed(Operation::Query, done).await
    }

    /// Adds to `known` the revocations that were made anywhere since the last call. Revocations that the store has lost
    /// are written to it again.
    pub async fn follow_revocations(&self, known: &KnownRevocations) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.follow_revocations(known).await,
            Self::Redis(store) => store.follow_revocations(known).await,
            #[cfg(test)]
            Self::Unreliable(_) => Ok(()),
        }
    }

    /// Revokes tokens, from the next request on.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.revoke(revocation).await,
                Self::Redis(store) => store.revoke(&revocation).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().revoke(revocation)).await,
            }
        };
        timed(Operation::Session, done).await
    }

    /// Opens a session, if its maker's rate and the limit of open sessions allow it, in one step. Asked again with the
    /// same id, the store gives the same answer and takes nothing more.
    pub async fn open_session(&self, request: Arc<SessionRequest>) -> Result<SessionDecision, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.open_session(request).await,
                Self::Redis(store) => store.open_session(&request).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().open_session(request)).await,
            }
        };
        timed(Operation::Session, done).await
    }

    /// Returns a page of a maker's sessions that have not expired, ordered by id. The cost grows with the length of the
    /// page alone, and admission does not wait for it.
    pub async fn sessions(&self, maker: &Subject, page: PageRequest) -> Result<SessionPage, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.sessions(maker, page).await,
                Self::Redis(store) => store.sessions(maker, &page).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().sessions(maker, page)).await,
            }
        };
        timed(Operation::Session, done).await
    }

    /// Returns a maker's session, unless it has expired.
    pub async fn session(&self, maker: &Subject, id: &str) -> Result<Option<Session>, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.session_of(maker, id).await,
                Self::Redis(store) => store.session_of(maker, id).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().session(maker, id)).await,
            }
        };
        timed(Operation::Session, done).await
    }

    /// Removes a session from the list and from the count.
    pub async fn forget_session(&self, maker: &Subject, id: &str) -> Result<(), StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.forget_session(maker, id).await,
                Self::Redis(store) => store.forget_session(maker, id).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().forget_session(maker, id)).await,
            }
        };
        timed(Operation::Session, done).await
    }

    /// Returns a caller's usage in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.statement(subject, month).await,
                Self::Redis(store) => store.statement(subject, month).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().statement(subject, month)).await,
            }
        };
        timed(Operation::Query, done).await
    }

    /// Returns the newest record of a caller's request, open or settled. Redis finds a settled one for 24 hours, SQLite for
    /// as long as it keeps the record.
    pub async fn request(&self, subject: &Subject, request_id: &str) -> Result<Option<Entry>, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.request(subject, request_id).await,
                Self::Redis(store) => store.request(subject, request_id).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().request(subject, request_id)).await,
            }
        };
        timed(Operation::Query, done).await
    }

    /// Returns the settled usage of all callers in a month, for the operator. The cost does not grow with the number of
    /// callers or records.
    pub async fn totals(&self, month: Month) -> Result<Totals, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.totals(month).await,
                Self::Redis(store) => store.totals(month).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().totals(month)).await,
            }
        };
        timed(Operation::Query, done).await
    }

    /// Returns the last `limit` settled records, newest first, for the operator. "Last" is by the time of admission in SQLite
    /// and by the time of the settlement in Redis.
    pub async fn recent(&self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let done = async {
            match self {
                Self::Embedded(store) => store.recent(limit).await,
                Self::Redis(store) => store.recent(limit).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().recent(limit)).await,
            }
        };
        timed(Operation::Query, done).await
    }

    /// Returns true if these rates are the store's own, not those of one gateway among many.
    pub fn owns(&self, rates: &Arc<Rates>) -> bool {
        match self {
            Self::Embedded(store) => store.owns(rates),
            Self::Redis(_) => false,
            #[cfg(test)]
            Self::Unreliable(store) => store.inner().owns(rates),
        }
    }

    /// Returns the availability of the store, as far as it is known.
    pub fn availability(&self) -> Availability {
        match self {
            Self::Embedded(store) if store.is_down() => Availability::Down,
            Self::Embedded(_) => Availability::Up,
            Self::Redis(store) => store.availability(),
            #[cfg(test)]
            Self::Unreliable(store) => store.availability(),
        }
    }

    /// Returns true if the part of the store with the caller's limits is known to be away.
    pub fn is_down_for(&self, subject: &Subject) -> bool {
        match self {
            Self::Embedded(store) => store.is_down(),
            Self::Redis(store) => store.is_down_for(subject),
            #[cfg(test)]
            Self::Unreliable(store) => store.availability() == Availability::Down,
        }
    }

    /// Maintains the embedded store. Redis has a separate watch.
    pub async fn maintain(&self) {
        match self {
            Self::Embedded(store) => store.maintain().await,
            Self::Redis(_) => {}
            #[cfg(test)]
            Self::Unreliable(store) => store.maintain(),
        }
    }

    /// Returns the time by the clock that decides for a caller, as far as it is known.
    pub fn now(&self, subject: &Subject) -> UnixMs {
        match self {
            Self::Embedded(store) => store.now(),
            Self::Redis(store) => store.now(subject),
            #[cfg(test)]
            Self::Unreliable(store) => store.inner().now(subject),
        }
    }
}
