//! The state of the providers and their keys, for operators, and the counts of attempts and failures.

use std::sync::Arc;

use tokio::time::Instant;

use super::UpstreamError;
use super::providers::{Provider, ProviderLease, Providers};
use crate::models::AttemptLog;
use crate::telemetry::metrics::{FAILURES, Label, TRIES};

/// The state of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// The provider's name.
    pub name: String,
    /// The state of its circuit breaker.
    pub breaker: BreakerState,
    /// The number of failures since its last answer.
    pub failures: u32,
    /// Its keys by their names.
    pub keys: Vec<(String, KeyState)>,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests go to the provider.
    Closed,
    /// No request goes to the provider.
    Open,
    /// One request probes the provider.
    HalfOpen,
}

impl BreakerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Returns the word for the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
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

impl Providers {
    /// Returns the current state of every provider.
    pub fn states(&self) -> Vec<ProviderState> {
        let now = Instant::now();
        let of = |provider: &Arc<Provider>| {
            let state = provider.state();
            ProviderState {
                name: provider.settings.name.clone(),
                breaker: state.breaker.state(now),
                failures: state.breaker.failures(),
                keys: state.keys.iter().map(|key| (key.name.clone(), key.state(now))).collect(),
            }
        };
        let states: Vec<_> = self.all().map(of).collect();
        // Every kind of failure is exported from the start, so that the first failure of a kind shows as an increase.
        for state in &states {
            let provider = Label::configured(&state.name);
            TRIES.add([provider], 0);
            for reason in UpstreamError::REASONS {
                FAILURES.add([provider, Label::fixed(reason)], 0);
            }
        }
        states
    }
}

impl ProviderLease {
    /// Counts an attempt at the provider.
    pub(super) fn count_try(&self) {
        TRIES.add([Label::configured(&self.settings().name)], 1);
    }

    /// Counts a failure of the provider. A recording that was lost on the way to the provider is not its failure.
    pub(super) fn count_failure(&self, error: &UpstreamError) {
        if !matches!(error, UpstreamError::RecordingLost) {
            count_failure(&self.settings().name, error);
        }
    }
}

impl AttemptLog {
    /// Counts a stream of the last provider that broke off in a way that only its reader can tell: it ended with an
    /// error, or in good order but with parts missing.
    pub fn count_broken_off(&self, error: &UpstreamError) {
        if let Some(asked) = self.last() {
            count_failure(&asked.provider, error);
        }
    }
}

fn count_failure(provider: &str, error: &UpstreamError) {
    FAILURES.add([Label::configured(provider), Label::fixed(error.reason())], 1);
}
