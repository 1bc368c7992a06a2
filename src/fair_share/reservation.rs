//! Shares behind a lock, with guards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::ShareKey;
use super::refused::Refused;
use super::shares::Shares;

/// A capacity that callers share fairly, for use from any thread.
#[derive(Debug)]
pub struct FairShare(Mutex<Shares>);

/// Units of a [`FairShare`], given back on drop.
#[derive(Debug)]
pub struct Reservation {
    of: Arc<FairShare>,
    key: ShareKey,
    units: u64,
}

impl FairShare {
    /// Puts the shares behind a lock.
    pub fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self(Mutex::new(shares)))
    }

    /// Returns the number of units held.
    pub fn held(&self) -> u64 {
        self.lock().held()
    }

    /// Sets the minimum share of each holder; see [`Shares::with_min_share`].
    pub fn set_min_share(&self, units: u64) {
        self.lock().set_min_share(units);
    }

    /// Checks that `key` may have `units` more now.
    pub fn check(&self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.lock().check(key, units)
    }

    /// Reserves `units` for `key`, if the rule allows.
    pub fn try_acquire(self: &Arc<Self>, key: ShareKey, units: u64) -> Result<Reservation, Refused> {
        let mut reservation = Reservation { of: Arc::clone(self), key, units: 0 };
        reservation.grow_to(units).map(|()| reservation)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Grows the reservation to at least `units`; leaves it unchanged if that is refused.
    pub fn grow_to(&mut self, units: u64) -> Result<(), Refused> {
        let more = units.saturating_sub(self.units);
        if more > 0 {
            self.of.lock().take(self.key, more)?;
            self.units += more;
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.units > 0 {
            self.of.lock().give_back(self.key, self.units);
        }
    }
}
