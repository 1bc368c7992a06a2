//! Fair shares of a bounded resource: places for requests, room for recordings, turns at measuring.
//!
//! One rule for all of them. Four fifths of the capacity go to any caller. Of the last fifth a caller gets more only while
//! it holds less than its equal share, which is the capacity divided by the callers that hold something; and while another
//! caller holds more than that, it leaves a fifth of the free part to the next one. So one caller alone gets four fifths,
//! and a caller that holds nothing finds something as long as anything is left.
//!
//! The sessions of one maker count as that maker. They divide the maker's four fifths by the same rule, so that no session
//! takes everything from the others.
//!
//! - `level`: the rule, for one set of holders
//! - [`Shares`]: the rule for callers and for the sessions of each; [`FairShare`]: the same behind a lock, with guards
//!
//! The second half of the rule, to leave a part of what is free, is that of switches with a shared buffer: A. K. Choudhury,
//! E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (1998), here with α = 4.

mod level;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use level::{Level, reserve};

/// The name of a holder: the accountable caller and, where the request came in a session, the session's subject. It is a
/// hash with a key of this process, so that no client can choose a subject that collides with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShareKey {
    caller: u64,
    session: Option<u64>,
}

impl ShareKey {
    /// The key of a caller with a token of its own.
    pub fn of_caller(subject: &str) -> Self {
        Self { caller: hash(subject), session: None }
    }

    /// The key of a session for `subject` that `maker` has made.
    pub fn of_session(maker: &str, subject: &str) -> Self {
        Self { caller: hash(maker), session: Some(hash(subject)) }
    }

    /// A key that is equal to no other, for a holder without a caller.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { caller: HASHER.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)), session: None }
    }

    /// The accountable caller.
    pub(crate) const fn caller(&self) -> u64 {
        self.caller
    }

    /// The session of that caller, if it is one.
    pub(crate) const fn session(&self) -> Option<u64> {
        self.session
    }
}

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

fn hash(subject: &str) -> u64 {
    HASHER.hash_one(subject)
}

/// Why a holder gets no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Less is left than was asked for.
    Exhausted,
    /// The rest is for holders of less.
    OverShare,
}

/// How much of a capacity each key holds. One that is not shared between threads; see [`FairShare`].
#[derive(Debug)]
pub struct Shares {
    /// The units that each holder may have even where its share is less.
    min_share: u64,
    callers: Level<u64>,
    /// The sessions of each caller, and the caller itself under `None`.
    sessions: HashMap<u64, Level<Option<u64>>>,
}

impl Shares {
    /// A capacity of so many units, none of which is held.
    pub fn new(capacity: u64) -> Self {
        Self { min_share: 0, callers: Level::new(capacity), sessions: HashMap::new() }
    }

    /// The same where each holder may have so many units even if its share is less, as long as they are free.
    #[must_use]
    pub fn with_min_share(self, units: u64) -> Self {
        Self { min_share: units, ..self }
    }

    /// The capacity.
    pub fn capacity(&self) -> u64 {
        self.callers.capacity()
    }

    /// How much of it is held.
    pub fn held(&self) -> u64 {
        self.callers.total()
    }

    /// How much the accountable caller of `key` holds, and how much of that the session.
    pub fn held_by(&self, key: ShareKey) -> (u64, u64) {
        let of_session = self.sessions.get(&key.caller).map_or(0, |sessions| sessions.held(key.session));
        (self.callers.held(key.caller), of_session)
    }

    /// Whether `key` may have so many more.
    pub fn check(&self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.callers.check(key.caller, units, self.min_share)?;
        match (key.session, self.sessions.get(&key.caller)) {
            (None, _) => Ok(()),
            (Some(_), Some(sessions)) => sessions.check(key.session, units, self.min_share),
            (Some(_), None) => self.level_of_sessions().check(key.session, units, self.min_share),
        }
    }

    /// Gives `key` so many more, if it may have them.
    pub fn take(&mut self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.check(key, units)?;
        self.callers.add(key.caller, units);
        let level = self.level_of_sessions();
        self.sessions.entry(key.caller).or_insert(level).add(key.session, units);
        Ok(())
    }

    /// Takes so many back from `key`.
    pub fn give_back(&mut self, key: ShareKey, units: u64) {
        self.callers.remove(key.caller, units);
        if let Some(sessions) = self.sessions.get_mut(&key.caller) {
            sessions.remove(key.session, units);
            if sessions.total() == 0 {
                self.sessions.remove(&key.caller);
            }
        }
    }

    /// The level of the sessions of one caller, who divide as much as one caller alone can get.
    fn level_of_sessions(&self) -> Level<Option<u64>> {
        let capacity = self.callers.capacity();
        Level::new((capacity - reserve(capacity)).max(self.min_share.min(capacity)))
    }
}

/// A capacity that callers share fairly, for use from any thread.
#[derive(Debug)]
pub struct FairShare(Mutex<Shares>);

/// A part of a [`FairShare`], which is given back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    of: Arc<FairShare>,
    key: ShareKey,
    units: u64,
}

impl FairShare {
    /// These shares, from now on behind a lock.
    pub fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self(Mutex::new(shares)))
    }

    /// How much is held.
    pub fn held(&self) -> u64 {
        self.lock().held()
    }

    /// Makes the smallest share of each holder so many units from now on; see [`Shares::with_min_share`].
    pub fn set_min_share(&self, units: u64) {
        self.lock().min_share = units;
    }

    /// Whether `key` may have so many more at this moment.
    pub fn check(&self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.lock().check(key, units)
    }

    /// So many units for `key`, if it may have them.
    pub fn try_acquire(self: &Arc<Self>, key: ShareKey, units: u64) -> Result<Reservation, Refused> {
        let mut reservation = Reservation { of: Arc::clone(self), key, units: 0 };
        reservation.grow_to(units).map(|()| reservation)
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Makes it at least so many units; where they cannot be had it stays as it is.
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
