//! The requests in flight per caller, as far as this process knows them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use crate::domain::Subject;
use crate::ledger::PermitId;

/// The leases of every caller. A lease that is never given back ends when its time is up.
#[derive(Debug)]
pub struct Leases {
    clock: Clock,
    held: Mutex<HashMap<Subject, HashMap<PermitId, Lease>>>,
}

/// The authority that admitted a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// The store, which counts the lease too.
    ByStore,
    /// This process alone, while the store was away.
    Locally,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    /// The end of the lease, by the steady clock.
    until: Duration,
    granted: Granted,
}

impl Leases {
    /// Creates an empty set of leases that end by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, HashMap<PermitId, Lease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of the caller's leases.
    pub fn in_flight(&self, subject: &Subject) -> u32 {
        self.count(subject, |_| true)
    }

    /// Returns the number of the caller's leases that the store does not know.
    pub(crate) fn granted_locally(&self, subject: &Subject) -> u32 {
        self.count(subject, |lease| lease.granted == Granted::Locally)
    }

    fn count(&self, subject: &Subject, counts: impl Fn(&Lease) -> bool) -> u32 {
        let now = self.clock.steady();
        let mut held = self.lock();
        let Some(leases) = held.get_mut(subject) else { return 0 };
        leases.retain(|_, lease| lease.until > now);
        if leases.is_empty() {
            held.remove(subject);
            return 0;
        }
        u32::try_from(leases.values().filter(|lease| counts(lease)).count()).unwrap_or(u32::MAX)
    }

    /// Adds a lease that the store has granted.
    pub fn add(&self, subject: &Subject, id: PermitId, lease: Duration) {
        let until = self.clock.steady().saturating_add(lease);
        let lease = Lease { until, granted: Granted::ByStore };
        self.lock().entry(subject.clone()).or_default().insert(id, lease);
    }

    /// Adds a lease, if the caller has fewer than `max` others, and returns the result.
    pub(crate) fn add_below(
        &self,
        max: Option<NonZeroU32>,
        subject: &Subject,
        id: PermitId,
        lease: Duration,
        granted: Granted,
    ) -> Added {
        let now = self.clock.steady();
        let mut held = self.lock();
        let leases = held.entry(subject.clone()).or_default();
        leases.retain(|_, lease| lease.until > now);
        if leases.contains_key(&id) {
            return Added::WasThere;
        }
        if max.is_some_and(|max| u32::try_from(leases.len()).is_ok_and(|count| count >= max.get())) {
            if leases.is_empty() {
                held.remove(subject);
            }
            return Added::Full;
        }
        leases.insert(id, Lease { until: now.saturating_add(lease), granted });
        Added::New
    }

    /// Renews a lease, even if its time was up.
    pub(crate) fn renew(&self, subject: &Subject, id: PermitId, lease: Duration, granted: Granted) {
        let until = self.clock.steady().saturating_add(lease);
        self.lock().entry(subject.clone()).or_default().insert(id, Lease { until, granted });
    }

    /// Removes a lease, if it is still there.
    pub fn end(&self, subject: &Subject, id: PermitId) {
        let mut held = self.lock();
        let Some(leases) = held.get_mut(subject) else { return };
        leases.remove(&id);
        if leases.is_empty() {
            held.remove(subject);
        }
    }
}

/// The result of adding a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// The lease was added.
    New,
    /// The lease was there before: the same request asks again.
    WasThere,
    /// The caller has reached the maximum.
    Full,
}
