//! Fair shares of a bounded resource: concurrent requests, the spool quota on disk, places in the measuring queue.
//!
//! A single rule applies to all of them. Four fifths of the capacity are open to any caller. A caller gets units of the
//! last fifth only while it holds less than its equal share: the capacity divided by the number of callers that hold
//! units. While another caller holds more than its equal share, the caller also leaves a fifth of the free part to the
//! next one. So a single caller gets four fifths, and a caller without units gets one as long as any is free.
//!
//! All sessions of one maker count as that maker. They divide the maker's four fifths by the same rule, so that no
//! session can take everything.
//!
//! - `level`: the rule, for one set of holders
//! - [`Shares`]: the rule for callers and for the sessions of each; [`FairShare`]: `Shares` behind a lock, with guards
//!
//! The second half of the rule, leaving a part of the free units, comes from switches with a shared buffer: A. K.
//! Choudhury, E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (1998), here with α = 4.

mod level;
mod refused;
#[cfg(test)]
mod tests;

pub use refused::Refused;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use level::{Level, reserve};

/// The key of a holder: the accountable caller and, if the request came in a session, the session's subject. The values
/// are hashes with a key of this process, so no client can choose a subject that collides with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShareKey {
    caller: u64,
    session: Option<u64>,
}

impl ShareKey {
    /// Returns the key of a caller with its own token.
    pub fn of_caller(subject: &str) -> Self {
        Self { caller: hash(subject), session: None }
    }

    /// Returns the key of the session that `maker` created for `subject`.
    pub fn of_session(maker: &str, subject: &str) -> Self {
        Self { caller: hash(maker), session: Some(hash(subject)) }
    }

    /// Returns a unique key, for a holder without a caller.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { caller: HASHER.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)), session: None }
    }

    /// Returns the accountable caller.
    pub(crate) const fn caller(&self) -> u64 {
        self.caller
    }

    /// Returns the session of that caller, if there is one.
    pub(crate) const fn session(&self) -> Option<u64> {
        self.session
    }
}

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

fn hash(subject: &str) -> u64 {
    HASHER.hash_one(subject)
}

/// The units of a capacity that each key holds, for one thread; see [`FairShare`] for several.
#[derive(Debug)]
pub struct Shares {
    /// The number of units that each holder may have, even if its share is less.
    min_share: u64,
    callers: Level<u64>,
    /// The sessions of each caller, and the caller itself under `None`.
    sessions: HashMap<u64, Level<Option<u64>>>,
}

impl Shares {
    /// Creates a capacity of which no unit is held.
    pub fn new(capacity: u64) -> Self {
        Self { min_share: 0, callers: Level::new(capacity), sessions: HashMap::new() }
    }

    /// Sets the number of units that each holder may have, even if its share is less, as long as they are free.
    #[must_use]
    pub fn with_min_share(self, units: u64) -> Self {
        Self { min_share: units, ..self }
    }

    /// Returns the capacity.
    pub fn capacity(&self) -> u64 {
        self.callers.capacity()
    }

    /// Returns the number of units held.
    pub fn held(&self) -> u64 {
        self.callers.total()
    }

    /// Returns the units that the accountable caller of `key` holds, and the session's part of them.
    pub fn held_by(&self, key: ShareKey) -> (u64, u64) {
        let of_session = self.sessions.get(&key.caller).map_or(0, |sessions| sessions.held(key.session));
        (self.callers.held(key.caller), of_session)
    }

    /// Checks that `key` may have `units` more.
    pub fn check(&self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.callers.check(key.caller, units, self.min_share)?;
        match (key.session, self.sessions.get(&key.caller)) {
            (None, _) => Ok(()),
            (Some(_), Some(sessions)) => sessions.check(key.session, units, self.min_share),
            (Some(_), None) => self.level_of_sessions().check(key.session, units, self.min_share),
        }
    }

    /// Gives `key` `units` more, if the rule allows.
    pub fn take(&mut self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.check(key, units)?;
        self.callers.add(key.caller, units);
        let level = self.level_of_sessions();
        self.sessions.entry(key.caller).or_insert(level).add(key.session, units);
        Ok(())
    }

    /// Takes `units` back from `key`.
    pub fn give_back(&mut self, key: ShareKey, units: u64) {
        self.callers.remove(key.caller, units);
        if let Some(sessions) = self.sessions.get_mut(&key.caller) {
            sessions.remove(key.session, units);
            if sessions.total() == 0 {
                self.sessions.remove(&key.caller);
            }
        }
    }

    /// Returns a new level for the sessions of one caller, with the capacity that a single caller can get.
    fn level_of_sessions(&self) -> Level<Option<u64>> {
        let capacity = self.callers.capacity();
        Level::new((capacity - reserve(capacity)).max(self.min_share.min(capacity)))
    }
}

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
        self.lock().min_share = units;
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

    fn lock(&self) -> MutexGuard<'_, Shares> {
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
