//! The change of an open permit's charge, and the answer of a store.

use std::time::Duration;

use super::decision::{AccountUsage, Denial};
use super::plan_limits::Limits;
use super::session::InSession;
use crate::domain::{Subject, UnixMs};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, Entry, PermitId, RequestInfo};

/// The number of a change. Each change of one permit has a higher number than the one before; admission is number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Revision(u32);

impl Revision {
    /// Makes a number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the number of the next change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A request to set the charge of an open permit to another amount, and to renew its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviseRequest {
    /// The permit.
    pub id: PermitId,
    /// The number of the change. A store makes each change once, and none after a later one.
    pub revision: Revision,
    /// The caller.
    pub subject: Subject,
    /// The caller's token. If it is revoked, the change is refused.
    pub token: TokenRef,
    /// The caller's session, if it has caps.
    pub session: Option<InSession>,
    /// The limits of the caller. The bucket of audio holds what the new charge takes from the rate beyond what the permit
    /// has taken. The request counts as one and is in flight already, so those limits do not apply.
    pub limits: Limits,
    /// The time of admission, which decides the month of the charge.
    pub at: UnixMs,
    /// The new charge, which replaces the one before.
    pub charge: Charge,
    /// The time from now after which the request counts as dead.
    pub lease: Duration,
    /// The description of the request in the ledger.
    pub info: RequestInfo,
}

impl ReviseRequest {
    /// Returns the record of the request with its new charge.
    pub fn entry(&self) -> Entry {
        Entry::open(self.id, self.at, self.subject.clone(), self.info.clone(), self.charge)
    }
}

/// The outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionOutcome {
    /// The permit has the new charge, or that of a later change.
    Charged,
    /// The token is revoked, or a limit does not allow the new charge. Nothing has changed.
    Denied(Denial),
    /// The permit is settled, or was never given. Nothing has changed.
    NotOpen,
}

/// The answer of a store to a [`ReviseRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionDecision {
    /// The time of the decision, by the store's clock.
    pub at: UnixMs,
    /// The outcome.
    pub outcome: RevisionOutcome,
    /// The state of the caller's limits afterwards, with the charges of the month of admission.
    pub account: AccountUsage,
}
