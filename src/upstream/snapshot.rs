//! How the providers and their keys are, for who runs the gateway; and how often they were asked.

use std::sync::Arc;

use tokio::time::Instant;

use super::UpstreamError;
use super::providers::{Provider, ProviderLease, Providers};
use crate::models::AttemptLog;
use crate::telemetry::metrics::{FAILURES, Label, TRIES};

/// How a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// What it is called.
    pub name: String,
    /// Whether it is left alone.
    pub breaker: BreakerState,
    /// How often it has failed since it last answered.
    pub failures: u32,
    /// Its keys by their names.
    pub keys: Vec<(String, KeyState)>,
}

/// Whether a provider is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It is asked.
    Closed,
    /// It is not.
    Open,
    /// It is tried with one request.
    HalfOpen,
}

impl BreakerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It can.
    Usable,
    /// It is over its limit.
    Resting,
    /// Its provider does not accept it.
    Refused,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Usable, Self::Resting, Self::Refused];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Resting => "resting",
            Self::Refused => "refused",
        }
    }
}

impl Providers {
    /// How each of them is now.
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
        // Each failure is there from the start, so that the first of its kind is seen as one more.
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
    /// Its provider is asked.
    pub(super) fn count_try(&self) {
        TRIES.add([Label::configured(&self.settings().name)], 1);
    }

    /// Its provider has failed. Where the recording was lost before it got there, that says nothing of the provider.
    pub(super) fn count_failure(&self, error: &UpstreamError) {
        if !matches!(error, UpstreamError::RecordingLost) {
            count_failure(&self.settings().name, error);
        }
    }
}

impl AttemptLog {
    /// Who was asked last has broken off its stream in a way that only who reads it can tell: with an error, or with too
    /// little and in good order.
    pub fn count_broken_off(&self, error: &UpstreamError) {
        if let Some(asked) = self.last() {
            count_failure(&asked.provider, error);
        }
    }
}

fn count_failure(provider: &str, error: &UpstreamError) {
    FAILURES.add([Label::configured(provider), Label::fixed(error.reason())], 1);
}
