//! The state of the providers and their keys, for operators.

use tokio::time::Instant;

use super::breaker::BreakerState;
use super::keyring::KeyState;
use super::providers::Providers;

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

impl Providers {
    /// Returns the current state of every provider.
    pub fn states(&self) -> Vec<ProviderState> {
        let now = Instant::now();
        let states = self.all().map(|provider| {
            let state = provider.state();
            ProviderState {
                name: provider.settings.name.clone(),
                breaker: state.breaker.state(now),
                failures: state.breaker.failures(),
                keys: state.keys.iter().map(|key| (key.name.clone(), key.state(now))).collect(),
            }
        });
        states.collect()
    }
}
