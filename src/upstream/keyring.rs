//! A provider's keys: their state, and the effect of each answer on it.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::cooldown::{Cooldown, Probe};
use crate::config::ProviderKey;

#[cfg(test)]
mod tests;

/// The pause of a key that the provider rejects, before one request probes it: the operator may have corrected the
/// account.
const REJECTED_PAUSE: Duration = Duration::from_mins(5);
/// The time that other requests wait for that probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest rest of a key, whatever the provider says: it may be mistaken.
const MAX_REST: Duration = Duration::from_mins(10);
/// The shortest rest of a key whose account has no money left.
const MIN_REST_WITHOUT_QUOTA: Duration = Duration::from_mins(5);

/// A key of a provider. A provider that needs no key has one without a secret.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) weight: NonZeroU32,
    secret: Option<SecretString>,
    /// The number of secrets that it has had: an answer to an earlier secret does not concern this one.
    version: u64,
    /// The time until which the provider asks for no request with this key.
    rate_limited_until: Option<Instant>,
    /// True if it rests because its account has no money left.
    has_no_quota: bool,
    /// The number of times in a row that the key was over its limit and the provider named no time to wait.
    untimed: u32,
    /// The pause of a key that the provider does not accept.
    rejected: Cooldown,
}

/// A lease on a key for one request.
#[derive(Debug, Clone)]
pub(super) struct KeyLease {
    pub(super) secret: Option<SecretString>,
    version: u64,
    probe: Option<Probe>,
}

impl KeyLease {
    /// True if the key was rejected before and this request probes it, while the others wait for its result.
    pub(super) fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

/// The reason why a key is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CandidateUnavailable {
    /// The key is over its limit.
    KeyRateLimited,
    /// The account of the key has no money left.
    QuotaExhausted,
    /// The provider keeps failing, has just failed, or no other candidate is left.
    ProviderFailing,
    /// The provider does not accept the key.
    KeyRejected,
}

/// The state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The key is usable.
    Usable,
    /// The key is over its limit.
    Resting,
    /// The provider does not accept the key.
    Refused,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Usable, Self::Resting, Self::Refused];

    /// Returns the word for the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Resting => "resting",
            Self::Refused => "refused",
        }
    }
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
            rate_limited_until: None,
            has_no_quota: false,
            untimed: 0,
            rejected: Cooldown::default(),
        }
    }

    /// Returns the time until the key is usable, zero if it is now, and the reason for the wait.
    pub(super) fn wait(&self, now: Instant) -> (Duration, CandidateUnavailable) {
        let rest = self.rate_limited_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let pause = self.rejected.wait(now);
        if pause > rest {
            (pause, CandidateUnavailable::KeyRejected)
        } else if self.has_no_quota {
            (rest, CandidateUnavailable::QuotaExhausted)
        } else {
            (rest, CandidateUnavailable::KeyRateLimited)
        }
    }

    /// Returns the state of the key.
    pub(super) fn state(&self, now: Instant) -> KeyState {
        if self.rejected.is_active() {
            KeyState::Refused
        } else if self.wait(now).0.is_zero() {
            KeyState::Usable
        } else {
            KeyState::Resting
        }
    }

    /// Leases the key to a request that [`Key::wait`] allows.
    pub(super) fn lease(&mut self, now: Instant) -> KeyLease {
        KeyLease {
            secret: self.secret.clone(),
            version: self.version,
            probe: self.rejected.begin_probe(now, PROBE_TIMEOUT),
        }
    }

    /// Records that the provider accepted the key and did the work. Returns true if the key was rejected until then.
    pub(super) fn record_success(&mut self, lease: &KeyLease) -> bool {
        if lease.version != self.version {
            return false;
        }
        self.untimed = 0;
        self.rejected.end()
    }

    /// Records that the provider does not accept the key. Returns true if that is new.
    pub(super) fn record_rejection(&mut self, lease: &KeyLease, now: Instant) -> bool {
        if lease.version != self.version {
            // The key was replaced while the request was in flight.
            return false;
        }
        let is_new = !self.rejected.is_active();
        if is_new || self.rejected.is_current_probe(lease.probe) {
            self.rejected.start(now + REJECTED_PAUSE);
        }
        is_new
    }

    /// Records that the key is over its limit. Returns the length of its rest.
    pub(super) fn record_rate_limit(
        &mut self,
        lease: &KeyLease,
        retry_after: Option<Duration>,
        no_quota: bool,
        backoff: Backoff,
        now: Instant,
    ) -> Duration {
        self.rejected.end_probe(lease.probe);
        let min = if no_quota { MIN_REST_WITHOUT_QUOTA } else { Duration::ZERO };
        self.untimed = if retry_after.is_some() { 0 } else { self.untimed.saturating_add(1) };
        let rest = retry_after.unwrap_or_else(|| backoff.after(self.untimed)).max(min).min(MAX_REST);
        if lease.version == self.version {
            let until = now + rest;
            // The reason is that of the longest rest.
            if self.rate_limited_until.is_none_or(|before| until >= before) {
                (self.rate_limited_until, self.has_no_quota) = (Some(until), no_quota);
            }
        }
        rest
    }

    /// Records that the request ended without a result for the key.
    pub(super) fn end_probe(&mut self, lease: &KeyLease) {
        self.rejected.end_probe(lease.probe);
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
