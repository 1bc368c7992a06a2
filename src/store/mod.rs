//! Where limits, budgets and the ledger are kept: the seam between admission and two stores of the same meaning.
//!
//! - [`Embedded`]: rates and leases in this process, budgets and the ledger in a SQLite file. The default.
//! - [`Redis`]: everything in Redis, for any number of gateways.
//!
//! Two verbs write: [`Store::admit`] decides and charges in one step, [`Store::settle`] corrects the charge or takes it all
//! back, once. The rest are queries and what concerns tokens. What both stores must do is written down once, in `tests`.
//!
//! A question whose answer never came may have been decided all the same, and may still be. So:
//!
//! - the name of a permit stands for one decision: asked again by it, a store says the same and takes nothing more;
//! - a settlement closes the name, also one that the store does not know: whatever comes by it later takes nothing.

mod read;
pub(crate) mod embedded;
mod redis;
#[cfg(test)]
pub(crate) mod tests;
mod timed;

use std::sync::Arc;

pub use read::LedgerReader;
pub use embedded::{Embedded, Found, OpenError, try_directory};
pub use redis::Redis;
pub use timed::Operation;
use timed::timed;

use crate::domain::Subject;
use crate::domain::{Month, UnixMs};
use crate::identity::known_revocations::KnownRevocations;
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::Statement;
use crate::limits::Settlement;
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionPage, SessionRequest};
use crate::limits::{AdmitRequest, Decision};

/// The store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It did not answer in time. It may still do it.
    #[error("it did not answer in time")]
    Slow,
    /// It is known to be away, and was not asked.
    #[error("it is away")]
    Away,
    /// It cannot be reached, or refuses everybody.
    #[error("{0}")]
    Failed(String),
    /// It did not do this one thing.
    #[error("{0}")]
    Refused(String),
    /// What it holds makes no sense.
    #[error("it holds what the gateway did not write there: {0}")]
    Garbled(String),
}

impl StoreError {
    /// Every [`StoreError::reason`].
    pub const REASONS: [&'static str; 5] = ["slow", "away", "failed", "refused", "garbled"];

    /// It in a word.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Away => "away",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Garbled(_) => "garbled",
        }
    }

    /// Whether the store may have done what it was asked, or may still do it.
    pub const fn may_have_been_done(&self) -> bool {
        !matches!(self, Self::Away)
    }

    fn garbled(error: impl std::error::Error) -> Self {
        Self::Garbled(error.to_string())
    }
}

/// How much of a store is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// All of it.
    There,
    /// Some nodes of a cluster are away, and with them the limits of some callers.
    PartlyAway,
    /// Nothing of it.
    Away,
}

/// One of the two.
#[derive(Debug)]
pub enum Store {
    /// In this process and one file.
    Embedded(Embedded),
    /// In Redis.
    Redis(Redis),
    /// One of the two behind a connection that fails as a test wants it to.
    #[cfg(test)]
    Unreliable(tests::Unreliable),
}

impl Store {
    /// Decides on a request. If it is admitted, its rates, its lease and its estimate are taken in the same step; if it is
    /// refused, nothing is. Asked again with the same permit it says the same and takes nothing more.
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

    /// Puts the real cost in the place of the estimate, writes the record and ends the lease; or takes it all back, if that
    /// is what it is. Once for each permit, however often it is asked: in Redis for as long as a mark of it is kept (24 hours)
    /// or its record can be found (`ledger.keep_days`), in SQLite as long as its record is kept.
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

    /// Whether a token of a caller's holds no longer. A request that is admitted is asked this as it is.
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

    /// Tells `known` of the revocations that were made since it was last told, wherever that was. If the store has forgotten
    /// some of them, it is given them back.
    pub async fn follow_revocations(&self, known: &KnownRevocations) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.follow_revocations(known).await,
            Self::Redis(store) => store.follow_revocations(known).await,
            #[cfg(test)]
            Self::Unreliable(_) => Ok(()),
        }
    }

    /// Has tokens hold no longer, from the next request on.
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

    /// Opens a session, if its maker's rate and the bound of open sessions allow it, in one step. Asked again by the same id
    /// it says the same and takes nothing more.
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

    /// A part of a maker's sessions that have not ended by themselves, in the order of their ids. It costs as much as the part
    /// is long, and nobody who is admitted waits for it.
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

    /// One session of a maker's that has not ended by itself.
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

    /// Lists a session no longer, nor counts it.
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

    /// What one caller used in a month.
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

    /// Whether the rates in front of it are its own, and not those of one gateway among many.
    pub fn owns(&self, rates: &Arc<Rates>) -> bool {
        match self {
            Self::Embedded(store) => store.owns(rates),
            Self::Redis(_) => false,
            #[cfg(test)]
            Self::Unreliable(store) => store.inner().owns(rates),
        }
    }

    /// How much of it is there, as far as it is known.
    pub fn presence(&self) -> Availability {
        match self {
            Self::Embedded(store) if store.is_away() => Availability::Away,
            Self::Embedded(_) => Availability::There,
            Self::Redis(store) => store.presence(),
            #[cfg(test)]
            Self::Unreliable(store) => store.presence(),
        }
    }

    /// Whether the part of it that a caller's limits are in is known to be away.
    pub fn is_away_for(&self, subject: &Subject) -> bool {
        match self {
            Self::Embedded(store) => store.is_away(),
            Self::Redis(store) => store.is_away_for(subject),
            #[cfg(test)]
            Self::Unreliable(store) => store.presence() == Availability::Away,
        }
    }

    /// Sees after the embedded store. Redis has a watch of its own.
    pub async fn look_after(&self) {
        match self {
            Self::Embedded(store) => store.look_after().await,
            Self::Redis(_) => {}
            #[cfg(test)]
            Self::Unreliable(store) => store.look_after(),
        }
    }

    /// The time by the clock that decides for a caller, as far as it is known.
    pub fn now(&self, subject: &Subject) -> UnixMs {
        match self {
            Self::Embedded(store) => store.now(),
            Self::Redis(store) => store.now(subject),
            #[cfg(test)]
            Self::Unreliable(store) => store.inner().now(subject),
        }
    }
}
