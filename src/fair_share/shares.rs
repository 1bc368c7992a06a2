//! The rule for callers, and for the sessions of each.

use std::collections::HashMap;

use super::key::ShareKey;
use super::level::{Level, max_of_one};
use super::refused::Refused;

/// The units of a capacity that each key holds, for one thread; see [`FairShare`] for several.
#[derive(Debug)]
pub struct Shares {
    /// The number of units that each holder may have, even if its share is less.
    min_share: u64,
    callers: Level<u64>,
    /// The sessions of each caller, and the caller itself under `None`.
    pub(super) sessions: HashMap<u64, Level<Option<u64>>>,
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

    /// Sets the number of units that each holder may have, even if its share is less.
    pub(super) fn set_min_share(&mut self, units: u64) {
        self.min_share = units;
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
        let of_session = self.sessions.get(&key.caller()).map_or(0, |sessions| sessions.held(key.session()));
        (self.callers.held(key.caller()), of_session)
    }

    /// Checks that `key` may have `units` more.
    pub fn check(&self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.callers.check(key.caller(), units, self.min_share)?;
        match (key.session(), self.sessions.get(&key.caller())) {
            (None, _) => Ok(()),
            (Some(_), Some(sessions)) => sessions.check(key.session(), units, self.min_share),
            (Some(_), None) => self.level_of_sessions().check(key.session(), units, self.min_share),
        }
    }

    /// Gives `key` `units` more, if the rule allows.
    pub fn take(&mut self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.check(key, units)?;
        self.add(key, units);
        Ok(())
    }

    /// Gives `key` `units` more, which it had before, whatever the rule says.
    pub(super) fn add(&mut self, key: ShareKey, units: u64) {
        self.callers.add(key.caller(), units);
        let level = self.level_of_sessions();
        self.sessions.entry(key.caller()).or_insert(level).add(key.session(), units);
    }

    /// Takes `units` back from `key`.
    pub fn give_back(&mut self, key: ShareKey, units: u64) {
        self.callers.remove(key.caller(), units);
        if let Some(sessions) = self.sessions.get_mut(&key.caller()) {
            sessions.remove(key.session(), units);
            if sessions.total() == 0 {
                self.sessions.remove(&key.caller());
            }
        }
    }

    /// Returns a new level for the sessions of one caller, with the capacity that a single caller can get.
    fn level_of_sessions(&self) -> Level<Option<u64>> {
        let capacity = self.callers.capacity();
        Level::new(max_of_one(capacity).max(self.min_share.min(capacity)))
    }
}
