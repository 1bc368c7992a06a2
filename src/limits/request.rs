//! The request to a store to admit one recording.

use std::time::Duration;

use super::plan_limits::Limits;
use super::session::InSession;
use crate::domain::{Subject, UnixMs};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, Entry, PermitId, RequestInfo};

/// A request to admit one recording: if the store admits it, the store also charges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitRequest {
    /// The id of the permit, if the request is admitted.
    pub id: PermitId,
    /// The caller.
    pub subject: Subject,
    /// The caller's token.
    pub token: TokenRef,
    /// The caller's session, if it has caps.
    pub session: Option<InSession>,
    /// The limits of the caller.
    pub limits: Limits,
    /// The expected cost.
    pub estimate: Charge,
    /// The time after which the request counts as dead.
    pub lease: Duration,
    /// The description of the request in the ledger.
    pub info: RequestInfo,
}

impl AdmitRequest {
    /// Returns the record of the request, if it is admitted at `at`.
    pub fn entry(&self, at: UnixMs) -> Entry {
        Entry::open(self.id, at, self.subject.clone(), self.info.clone(), self.estimate)
    }
}
