//! A provider's keys: their state, and the effect of each answer on it.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::cooldown::{Cooldown, Probe};
use super::snapshot::KeyState;
use crate::config::ProviderKey;

/// The pause of a key that the provider rejects, before one request probes it: the operator may have corrected the
/// account.
const OUT: Duration = Duration::from_mins(5);
/// The time that other requests wait for that probe.
const TRIAL: Duration = Duration::from_secs(10);
/// The longest rest of a key, whatever the provider says: it may be mistaken.
const LONGEST_REST: Duration = Duration::from_mins(10);
/// The shortest rest of a key whose account has no money left.
const NO_QUOTA: Duration = Duration::from_mins(5);

/// A key of a provider. A provider that needs no key has one without a secret.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) weight: NonZeroU32,
    secret: Option<SecretString>,
    /// The number of secrets that it has had: an answer to an earlier secret does not concern this one.
    version: u64,
    /// The time until which the provider asks for no request with this key.
    rests: Option<Instant>,
    /// The number of times in a row that the key was over its limit and the provider named no time to wait.
    untold: u32,
    /// The pause of a key that the provider does not accept.
    out: Cooldown,
}

/// A lease on a key for one request.
#[derive(Debug, Clone)]
pub(super) struct KeyLease {
    pub(super) secret: Option<SecretString>,
    version: u64,
    trial: Option<Probe>,
}

impl KeyLease {
    /// True if the key was rejected before and this request probes it, while the others wait for its result.
    pub(super) fn is_trial(&self) -> bool {
        self.trial.is_some()
    }
}

/// The reason why a key is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CandidateUnavailable {
    /// The key is over its limit.
    Rests,
    /// The provider keeps failing.
    Broken,
    /// The provider does not accept the key.
    Out,
}

impl Key {
    pub(super) fn new(key: &ProviderKey) -> Self {
        Self { name: key.name.clone(), weight: key.weight, secret: Some(key.secret.clone()), ..Self::none() }
    }

    /// Returns the key of a provider that needs none.
    pub(super) fn none() -> Self {
        Self {
            name: "none".to_owned(),
            weight: NonZeroU32::MIN,
            secret: None,
            version: 0,
            rests: None,
            untold: 0,
            out: Cooldown::default(),
        }
    }

    /// Returns the time until the key is usable, zero if it is now, and the reason for the wait.
    pub(super) fn wait(&self, now: Instant) -> (Duration, CandidateUnavailable) {
        let rest = self.rests.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let out = self.out.wait(now);
        if out > rest { (out, CandidateUnavailable::Out) } else { (rest, CandidateUnavailable::Rests) }
    }

    /// Returns the state of the key.
    pub(super) fn state(&self, now: Instant) -> KeyState {
        if self.out.is_on() {
            KeyState::Refused
        } else if self.wait(now).0.is_zero() {
            KeyState::Usable
        } else {
            KeyState::Resting
        }
    }

    /// Leases the key to a request that [`Key::wait`] allows.
    pub(super) fn take(&mut self, now: Instant) -> KeyLease {
        KeyLease { secret: self.secret.clone(), version: self.version, trial: self.out.ask(now, TRIAL) }
    }

    /// Records that the provider accepted the key and did the work. Returns true if the key was rejected until then.
    pub(super) fn served(&mut self, grip: &KeyLease) -> bool {
        if grip.version != self.version {
            return false;
        }
        self.untold = 0;
        self.out.end()
    }

    /// Records that the provider does not accept the key. Returns true if that is new.
    pub(super) fn refused(&mut self, grip: &KeyLease, now: Instant) -> bool {
        if grip.version != self.version {
            // The key was replaced while the request was in flight.
            return false;
        }
        let is_new = !self.out.is_on();
        if is_new || self.out.is_tried_by(grip.trial) {
            self.out.begin(now + OUT);
        }
        is_new
    }

    /// Records that the key is over its limit. Returns the length of its rest.
    pub(super) fn over_limit(
        &mut self,
        grip: &KeyLease,
        told: Option<Duration>,
        no_quota: bool,
        backoff: Backoff,
        now: Instant,
    ) -> Duration {
        self.out.nothing_learnt(grip.trial);
        let least = if no_quota { NO_QUOTA } else { Duration::ZERO };
        self.untold = if told.is_some() { 0 } else { self.untold.saturating_add(1) };
        let rest = told.unwrap_or_else(|| backoff.after(self.untold)).max(least).min(LONGEST_REST);
        if grip.version == self.version {
            let until = now + rest;
            self.rests = Some(self.rests.map_or(until, |before| before.max(until)));
        }
        rest
    }

    /// Records that the request ended without a result for the key.
    pub(super) fn nothing_learnt(&mut self, grip: &KeyLease) {
        self.out.nothing_learnt(grip.trial);
    }

    /// Replaces the secret, unless the new one is the same. Returns true if it differs.
    pub(super) fn replace(&mut self, secret: SecretString) -> bool {
        let same = self.secret.as_ref().is_some_and(|old| old.expose_secret() == secret.expose_secret());
        if !same {
            let name = std::mem::take(&mut self.name);
            let (weight, version) = (self.weight, self.version.wrapping_add(1));
            *self = Self { name, weight, secret: Some(secret), version, ..Self::none() };
        }
        !same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(&ProviderKey::only("the-first".to_owned().into()))
    }

    fn backoff() -> Backoff {
        let (first, longest) = (Duration::from_millis(250), Duration::from_secs(8));
        Backoff::between(first, longest)
    }

    #[test]
    fn a_key_that_is_not_accepted_is_out_and_then_tried_by_one() {
        let (mut key, now) = (key(), Instant::now());
        let (first, second) = (key.take(now), key.take(now));
        assert!(key.refused(&first, now), "it is told once");
        assert!(!key.refused(&second, now + OUT / 2), "what was on its way then is not news");
        assert_eq!(key.wait(now + OUT / 2), (OUT / 2, CandidateUnavailable::Out));
        let later = now + OUT;
        assert!(key.wait(later).0.is_zero());
        let trial = key.take(later);
        assert!(!key.wait(later).0.is_zero());
        assert!(!key.refused(&trial, later), "nor is that it still is not");
        assert_eq!(key.wait(later).0, OUT);
        let trial = key.take(now);
        assert!(key.served(&trial) && key.wait(later).0.is_zero());
    }

    #[test]
    fn what_is_said_of_a_key_that_was_replaced_is_not_said_of_the_new_one() {
        let (mut key, now) = (key(), Instant::now());
        let old = key.take(now);
        key.refused(&old, now);
        assert!(!key.replace("the-first".to_owned().into()), "the same is no change");
        assert!(key.replace("the-second".to_owned().into()));
        assert!(key.wait(now).0.is_zero(), "a new key starts anew");
        assert!(!key.refused(&old, now) && key.wait(now).0.is_zero());
        key.over_limit(&old, Some(Duration::from_mins(1)), false, backoff(), now);
        assert!(key.wait(now).0.is_zero());
        assert_eq!(old.secret.as_ref().map(ExposeSecret::expose_secret), Some("the-first"));
    }

    #[test]
    fn a_key_over_its_limit_rests_as_told_or_by_a_time_that_doubles_and_never_for_long() {
        let now = Instant::now();
        let rest = |told: Option<u64>, no_quota| {
            let mut key = key();
            let grip = key.take(now);
            let rest = key.over_limit(&grip, told.map(Duration::from_secs), no_quota, backoff(), now);
            assert_eq!(key.wait(now), (rest, CandidateUnavailable::Rests));
            rest
        };
        assert_eq!(rest(Some(7), false), Duration::from_secs(7));
        assert_eq!(rest(Some(86_400), false), LONGEST_REST);
        assert_eq!(rest(None, false), Duration::from_millis(250));
        assert_eq!(rest(None, true), NO_QUOTA);
        assert_eq!(rest(Some(7), true), NO_QUOTA);
        let mut key = key();
        let mut untold = || {
            let grip = key.take(now);
            key.over_limit(&grip, None, false, backoff(), now).as_millis()
        };
        assert_eq!([untold(), untold(), untold()], [250, 500, 1000]);
    }

    #[test]
    fn a_shorter_rest_does_not_cut_a_longer_one_short() {
        let (mut key, now) = (key(), Instant::now());
        let grip = key.take(now);
        for seconds in [20, 5] {
            key.over_limit(&grip, Some(Duration::from_secs(seconds)), false, backoff(), now);
        }
        assert_eq!(key.wait(now).0.as_secs(), 20);
    }
}
