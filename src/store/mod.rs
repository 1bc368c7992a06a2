//! The store of limits, budgets and the ledger: the interface between admission and two stores with the same behavior.
//!
//! - [`Embedded`]: rates and leases in this process, budgets and the ledger in a SQLite file. The default.
//! - [`Redis`]: everything in Redis, for any number of gateways.
//!
//! Two operations write: [`Store::admit`] decides and charges in one step, [`Store::settle`] corrects the charge or
//! takes it all back, once. The other operations are queries, sessions and revocations. The tests in `tests` define the
//! behavior of both stores.
//!
//! A store may have decided a question whose answer was lost, or may still decide it. Therefore:
//!
//! - the id of a permit stands for one decision: asked again with it, a store gives the same answer and takes nothing
//!   more;
//! - a settlement closes the id, even if the store does not know it: a later question with this id takes nothing.

pub(crate) mod embedded;
mod read;
mod redis;
#[cfg(test)]
pub(crate) mod tests;
mod timed;

use std::sync::Arc;

pub use embedded::{Embedded, Found, OpenError, try_directory};
pub use read::LedgerReader;
pub use redis::Redis;
pub use timed::Operation;
use timed::timed;

use crate::domain::{Month, Subject, UnixMs};
use crate::identity::known_revocations::KnownRevocations;
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::Statement;
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionPage, SessionRequest};
use crate::limits::{AdmitRequest, Decision, Settlement};

/// An error of a store that did not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer in time. It may still do the work.
    #[error("it did not answer in time")]
    Slow,
    /// The store is known to be away, and was not asked.
    #[error("it is away")]
    Away,
    /// The store cannot be reached, or refuses every request.
    #[error("{0}")]
    Failed(String),
    /// The store refuses this request alone.
    #[error("{0}")]
    Refused(String),
    /// The data in the store cannot be parsed.
    #[error("it holds what the gateway did not write there: {0}")]
    Garbled(String),
}

impl StoreError {
    /// Every [`StoreError::reason`].
    pub const REASONS: [&'static str; 5] = ["slow", "away", "failed", "refused", "garbled"];

    /// Returns the error as one word.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Away => "away",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Garbled(_) => "garbled",
        }
    }

    /// Returns true if the store may have done the work, or may still do it.
    pub const fn may_have_been_done(&self) -> bool {
        !matches!(self, Self::Away)
    }

    fn garbled(error: impl std::error::Error) -> Self {
        Self::Garbled(error.to_string())
    }
}

/// The availability of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// The whole store is available.
    There,
    /// Some nodes of a cluster are away, and with them the limits of some callers.
    PartlyAway,
    /// The whole store is away.
    Away,
}

/// A store, embedded or Redis.
#[derive(Debug)]
pub enum Store {
    /// The store in this process and one file.
    Embedded(Embedded),
    /// The store in Redis.
    Redis(Redis),
    /// A store behind a connection that fails as a test demands.
    #[cfg(test)]
    Unreliable(tests::Unreliable),
}

impl Store {
    /// Decides on a request. An admitted request takes its rates, its lease and its estimate in the same step; a
    /// refused request takes nothing. Asked again with the same permit, the store gives the same answer and takes
    /// nothing more.
    pub async fn admit(&self, ask: Arc<AdmitRequest>) -> Result<Decision, StoreError> {
        let decided = async {
            match self {
                Self::Embedded(store) => store.admit(ask).await,
                Self::Redis(store) => store.admit(&ask).await,
                #[cfg(test)]
                Self::Unreliable(store) => store.admit(ask).await,
            }
        };
        timed(Operation::Admit, decided).await
    }

    /// Replaces the estimate by the real cost, writes the record and ends the lease; or takes everything back, if the
    /// settlement is void. The store does this once per permit, however often it is asked: Redis for as long as it
    /// keeps a mark of the permit (24 hours) or finds its record (`ledger.keep_days`), SQLite for as long as it keeps
    /// the record.
    pub async fn settle(&self, settlement: Arc<Settlement>) -> Result<(), StoreError> {
        let settled = async {
            match self {
                Self::Embedded(store) => store.settle(settlement).await,
                Self::Redis(store) => store.settle(&settlement).await,
                #[cfg(test)]
                Self::Unreliable(store) => store.settle(settlement).await,
            }
        };
        timed(Operation::Settle, settled).await
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
        let told = async {
            match self {
                Self::Embedded(store) => store.statement(subject, month).await,
                Self::Redis(store) => store.statement(subject, month).await,
                #[cfg(test)]
                Self::Unreliable(store) => Box::pin(store.inner().statement(subject, month)).await,
            }
        };
        timed(Operation::Query, told).await
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
    pub fn presence(&self) -> Availability {
        match self {
            Self::Embedded(store) if store.is_away() => Availability::Away,
            Self::Embedded(_) => Availability::There,
            Self::Redis(store) => store.presence(),
            #[cfg(test)]
            Self::Unreliable(store) => store.presence(),
        }
    }

    /// Returns true if the part of the store with the caller's limits is known to be away.
    pub fn is_away_for(&self, subject: &Subject) -> bool {
        match self {
            Self::Embedded(store) => store.is_away(),
            Self::Redis(store) => store.is_away_for(subject),
            #[cfg(test)]
            Self::Unreliable(store) => store.presence() == Availability::Away,
        }
    }

    /// Maintains the embedded store. Redis has a separate watch.
    pub async fn look_after(&self) {
        match self {
            Self::Embedded(store) => store.look_after().await,
            Self::Redis(_) => {}
            #[cfg(test)]
            Self::Unreliable(store) => store.look_after(),
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
