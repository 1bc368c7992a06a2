//! The state that the limiters of `governor` share: the arrival times of every caller, and a clock with a common zero.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::nanos::Nanos;
use governor::state::StateStore;

use super::clock::Clock;
use crate::domain::Subject;

/// The theoretical arrival time of GCRA for each caller: the time at which the bucket will be full. Every quota reads
/// the same time, so a caller that changes plans keeps its usage.
#[derive(Debug, Clone, Default)]
pub(super) struct ArrivalTimes(Arc<Mutex<HashMap<Subject, Duration>>>);

impl ArrivalTimes {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ahead(&self, subject: &Subject, now: Duration) -> Duration {
        self.lock().get(subject).map_or(Duration::ZERO, |time| time.saturating_sub(now))
    }

    pub(super) fn give_back(&self, subject: &Subject, weight: Duration) {
        if let Some(time) = self.lock().get_mut(subject) {
            *time = time.saturating_sub(weight);
        }
    }

    pub(super) fn raise_to(&self, subject: &Subject, now: Duration, ahead: Duration) {
        if ahead > Duration::ZERO {
            let mut times = self.lock();
            let time = times.entry(subject.clone()).or_default();
            *time = (*time).max(now.saturating_add(ahead));
        }
    }

    pub(super) fn forget_before(&self, now: Duration) {
        let mut times = self.lock();
        times.retain(|_, time| *time > now);
        times.shrink_to_fit();
    }
}

impl StateStore for ArrivalTimes {
    type Key = Subject;

    fn measure_and_replace<T, F, E>(&self, subject: &Subject, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut times = self.lock();
        let (decision, time) = decide(times.get(subject).copied().map(Nanos::from))?;
        match times.get_mut(subject) {
            Some(known) => *known = time.into(),
            None => {
                times.insert(subject.clone(), time.into());
            }
        }
        Ok(decision)
    }
}

/// A view of the arrival times that takes nothing.
pub(super) struct PeekStore(pub(super) ArrivalTimes);

impl StateStore for PeekStore {
    type Key = Subject;

    fn measure_and_replace<T, F, E>(&self, subject: &Subject, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        decide(self.0.lock().get(subject).copied().map(Nanos::from)).map(|(decision, _)| decision)
    }
}

/// A clock that counts from zero. A limiter of `governor` counts from its first look at its clock; these limiters share
/// their callers, so they need a common zero.
#[derive(Debug, Clone)]
pub(super) struct ZeroBasedClock {
    clock: Clock,
    first_reading: OnceLock<()>,
}

impl ZeroBasedClock {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), first_reading: OnceLock::new() }
    }
}

impl GovernorClock for ZeroBasedClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        if self.first_reading.set(()).is_ok() { Nanos::new(0) } else { Nanos::from(self.clock.steady()) }
    }
}
