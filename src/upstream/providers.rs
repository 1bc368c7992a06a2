//! The providers' state that all workers share: the usable keys of each, and its circuit breaker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::breaker::Breaker;
use super::cooldown::Probe;
use super::counts;
use super::keyring::{CandidateUnavailable, Key, KeyLease};
use crate::config;
use crate::domain::terms::AUDIT;

/// All providers, by their keys in the settings, with the settings for requests to them.
#[derive(Debug)]
pub struct Providers {
    all: BTreeMap<String, Arc<Provider>>,
    pub(super) settings: config::Upstream,
    pub(super) backoff: Backoff,
}

/// A provider's settings and its state.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) settings: config::Provider,
    backoff: Backoff,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) breaker: Breaker,
    pub(super) keys: Vec<Key>,
}

/// The evidence that one request gives about the provider, and about the key that the request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// The provider did the work.
    Served,
    /// The provider failed.
    Failed,
    /// The provider does not accept the key.
    KeyRejected,
    /// The key is over its limit.
    KeyRateLimited {
        /// The time that the provider asks the gateway to wait.
        retry_after: Option<Duration>,
        /// True if the account has no money left.
        no_quota: bool,
    },
    /// Nothing that concerns another request.
    Inconclusive,
}

impl Providers {
    /// Creates the providers of these settings, with no state yet.
    pub fn new(providers: &BTreeMap<String, config::Provider>, settings: &config::Upstream) -> Self {
        let backoff = Backoff::new(settings);
        let all = providers.iter().map(|(name, provider)| (name.clone(), Provider::new(provider, settings, backoff)));
        Self { all: all.collect(), settings: settings.clone(), backoff }
    }

    /// Creates the providers of these settings. A provider with the same connection settings keeps its state, except for
    /// keys that changed; requests in flight keep the old keys.
    #[must_use]
    pub fn renewed(&self, providers: &BTreeMap<String, config::Provider>, settings: &config::Upstream) -> Self {
        let same_rules = (self.settings.breaker, self.settings.backoff, self.settings.max_backoff)
            == (settings.breaker, settings.backoff, settings.max_backoff);
        let mut new = Self::new(providers, settings);
        for (name, provider) in &mut new.all {
            let same = self.all.get(name).filter(|old| same_rules && old.settings.connects_like(&provider.settings));
            if let Some(old) = same {
                old.replace_keys(&provider.settings.keys);
                *provider = Arc::clone(old);
            }
        }
        new
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.all.values()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Arc<Provider>> {
        self.all.get(key)
    }

    /// Returns the provider's name as clients see it.
    pub fn name_of<'a>(&'a self, key: &'a str) -> &'a str {
        self.all.get(key).map_or(key, |provider| &provider.settings.name)
    }
}

fn keys(provider: &config::Provider) -> Vec<Key> {
    if provider.keys.is_empty() { vec![Key::none()] } else { provider.keys.iter().map(Key::new).collect() }
}

impl Provider {
    fn new(settings: &config::Provider, limits: &config::Upstream, backoff: Backoff) -> Arc<Self> {
        counts::start_at_zero(&settings.name);
        let state = State { breaker: Breaker::new(limits.breaker), keys: keys(settings) };
        Arc::new(Self { settings: settings.clone(), backoff, state: Mutex::new(state) })
    }

    fn replace_keys(&self, new: &[config::ProviderKey]) {
        for (key, new) in self.state().keys.iter_mut().zip(new) {
            if key.replace(new.secret.clone()) {
                let (provider, key) = (self.settings.name.as_str(), key.name.as_str());
                tracing::info!(target: AUDIT, provider, key, "a key has changed; requests use the new one from now on");
            }
        }
    }

    /// Returns the time until the provider is usable with this key, zero if it is now, and the reason for the wait.
    pub(super) fn wait(&self, key: usize, now: Instant) -> Option<(Duration, CandidateUnavailable)> {
        let state = self.state();
        let (key, circuit) = (state.keys.get(key)?.wait(now), state.breaker.wait(now));
        Some(if circuit > key.0 { (circuit, CandidateUnavailable::ProviderFailing) } else { key })
    }

    /// Returns the weight of each key: its share of the requests.
    pub(super) fn weights(&self) -> Vec<u32> {
        self.state().keys.iter().map(|key| key.weight.get()).collect()
    }

    /// Leases the provider with this key; `None` if another request was faster.
    pub(super) fn lease(self: &Arc<Self>, key: usize, now: Instant) -> Option<ProviderLease> {
        let mut state = self.state();
        let State { breaker, keys } = &mut *state;
        let has_several = keys.len() > 1;
        let held = keys.get_mut(key).filter(|held| held.wait(now).0.is_zero() && breaker.wait(now).is_zero())?;
        let (probe, key_name) = (breaker.admit(now), has_several.then(|| held.name.clone()));
        let key_lease = held.lease(now);
        Some(ProviderLease { provider: Arc::clone(self), key, key_name, key_lease, probe, is_unreported: true })
    }

    fn apply(&self, lease: &ProviderLease, observation: Observation, now: Instant) {
        let mut state = self.state();
        let State { breaker, keys } = &mut *state;
        let Some(key) = keys.get_mut(lease.key) else { return };
        let provider = self.settings.name.as_str();
        match observation {
            Observation::Served => {
                if key.record_success(&lease.key_lease) {
                    tracing::info!(target: AUDIT, provider, key = key.name, "the provider accepts a key again");
                }
                if breaker.record_success() {
                    tracing::info!(provider, "the provider answers again");
                }
                return;
            }
            Observation::Failed => {
                key.end_probe(&lease.key_lease);
                if breaker.record_failure(lease.probe, now) {
                    let failures = breaker.failures();
                    tracing::error!(provider, failures, "the provider keeps failing and is left alone for a while");
                }
                return;
            }
            Observation::KeyRejected => {
                if key.record_rejection(&lease.key_lease, now) {
                    tracing::error!(target: AUDIT, provider, key = key.name, "the provider does not accept a key; it is taken out");
                }
            }
            Observation::KeyRateLimited { retry_after, no_quota } => {
                let rest = key.record_rate_limit(&lease.key_lease, retry_after, no_quota, self.backoff, now);
                tracing::warn!(provider, key = key.name, no_quota, ?rest, "a key is over its limit and rests");
            }
            Observation::Inconclusive => key.end_probe(&lease.key_lease),
        }
        breaker.end_probe(lease.probe);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete in itself, so a panic elsewhere leaves no state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lease on a provider for one request, with one of its keys. Its holder reports the result of the request. A lease
/// that is dropped because the client left reports no result.
#[derive(Debug)]
pub(super) struct ProviderLease {
    provider: Arc<Provider>,
    key: usize,
    /// The name of the key, if the provider has several.
    key_name: Option<String>,
    key_lease: KeyLease,
    probe: Option<Probe>,
    is_unreported: bool,
}

impl ProviderLease {
    pub(super) fn settings(&self) -> &config::Provider {
        &self.provider.settings
    }

    /// Returns the secret of the key; the request keeps it even if the key is replaced meanwhile.
    pub(super) fn secret(&self) -> Option<&SecretString> {
        self.key_lease.secret.as_ref()
    }

    /// Returns the name of the key in the log, if the provider has several.
    pub(super) fn key_name(&self) -> Option<&str> {
        self.key_name.as_deref()
    }

    /// True if this request is a probe and the others wait for its result.
    pub(super) fn is_probe(&self) -> bool {
        self.probe.is_some() || self.key_lease.is_probe()
    }

    /// Reports the result. Only the first report counts.
    pub(super) fn report(&mut self, observation: Observation) {
        if std::mem::take(&mut self.is_unreported) {
            self.provider.apply(self, observation, Instant::now());
        }
    }

    /// Reports an interim result; another report may follow.
    pub(super) fn report_interim(&mut self, observation: Observation) {
        self.report(observation);
        self.probe = None;
        self.is_unreported = true;
    }
}

impl Drop for ProviderLease {
    fn drop(&mut self) {
        self.report(Observation::Inconclusive);
    }
}
