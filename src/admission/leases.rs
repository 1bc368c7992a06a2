//! Requests in flight per caller, as far as this process knows them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use crate::identity::Subject;
use crate::ledger::PermitId;

/// The leases of every caller. One that is never given back ends by itself.
#[derive(Debug)]
pub struct Leases {
    clock: Clock,
    held: Mutex<HashMap<Subject, HashMap<PermitId, Duration>>>,
}

impl Leases {
    /// No leases, by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, HashMap<PermitId, Duration>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many the caller has.
    pub fn in_flight(&self, subject: &Subject) -> u32 {
        let now = self.clock.steady();
        let mut held = self.lock();
        let Some(leases) = held.get_mut(subject) else { return 0 };
        leases.retain(|_, until| *until > now);
        let count = leases.len();
        if count == 0 {
            held.remove(subject);
        }
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Adds one.
    pub fn add(&self, subject: &Subject, id: PermitId, lease: Duration) {
        let until = self.clock.steady().saturating_add(lease);
        self.lock().entry(subject.clone()).or_default().insert(id, until);
    }

    /// Adds one, if the caller has fewer than `most`.
    pub(super) fn add_below(&self, most: Option<NonZeroU32>, subject: &Subject, id: PermitId, lease: Duration) -> bool {
        let now = self.clock.steady();
        let mut held = self.lock();
        let leases = held.entry(subject.clone()).or_default();
        leases.retain(|_, until| *until > now);
        let full = most.is_some_and(|most| u32::try_from(leases.len()).is_ok_and(|count| count >= most.get()));
        if !full {
            leases.insert(id, now.saturating_add(lease));
        }
        !full
    }

    /// Takes one away, if it is still there.
    pub fn end(&self, subject: &Subject, id: PermitId) {
        let mut held = self.lock();
        let Some(leases) = held.get_mut(subject) else { return };
        leases.remove(&id);
        if leases.is_empty() {
            held.remove(subject);
        }
    }
}
