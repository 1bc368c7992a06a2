//! The circuit breaker: pauses a provider that keeps failing, and then probes it with one request.

use std::time::Duration;

use tokio::time::Instant;

use super::cooldown::{Cooldown, Probe};
use crate::config;

/// A circuit breaker that counts the failures of one provider.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: config::Breaker,
    /// The number of failures since the last answer.
    failures: u32,
    cooldown: Cooldown,
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

impl Breaker {
    pub(super) fn new(settings: config::Breaker) -> Self {
        Self { settings, failures: 0, cooldown: Cooldown::default() }
    }

    /// Returns the time until a request may go to the provider; zero if it may do so now.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.cooldown.wait(now)
    }

    /// Records that a request that [`Breaker::wait`] allows goes to the provider.
    pub(super) fn admit(&mut self, now: Instant) -> Option<Probe> {
        self.cooldown.begin_probe(now, self.settings.pause)
    }

    /// Records an answer. Returns true if the circuit breaker was open until then.
    pub(super) fn record_success(&mut self) -> bool {
        self.failures = 0;
        self.cooldown.end()
    }

    /// Records a failure. Returns true if it opens the circuit breaker.
    pub(super) fn record_failure(&mut self, probe: Option<Probe>, now: Instant) -> bool {
        let on_probe = self.cooldown.is_current_probe(probe);
        if self.cooldown.is_active() && !on_probe {
            // The failed request began before the circuit breaker opened; its failure is no news.
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        let open = on_probe || self.settings.failures.is_some_and(|max| self.failures >= max.get());
        if open {
            self.cooldown.start(now + self.settings.pause);
        }
        open
    }

    /// Records that a request ended without a result.
    pub(super) fn end_probe(&mut self, probe: Option<Probe>) {
        self.cooldown.end_probe(probe);
    }

    /// Returns the state of the circuit breaker.
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match self.cooldown.rest(now) {
            None => BreakerState::Closed,
            Some(rest) if rest.is_zero() => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }

    /// Returns the number of failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn breaker(failures: u32) -> Breaker {
        Breaker::new(config::Breaker { failures: NonZeroU32::new(failures), pause: PAUSE })
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_a_success_in_between_starts_anew() {
        let (mut breaker, now) = (breaker(3), Instant::now());
        for _ in 0..2 {
            assert!(!breaker.record_failure(None, now));
            assert!(!breaker.record_failure(None, now));
            assert!(!breaker.record_success());
        }
        assert!(
            !breaker.record_failure(None, now)
                && !breaker.record_failure(None, now)
                && breaker.record_failure(None, now)
        );
        assert_eq!(breaker.wait(now + PAUSE / 4), PAUSE * 3 / 4);
    }

    #[test]
    fn one_at_a_time_tries_it_and_decides() {
        let (mut breaker, now) = (breaker(1), Instant::now());
        breaker.record_failure(None, now);
        let later = now + PAUSE;
        assert!(breaker.wait(later).is_zero());
        let first = breaker.admit(later);
        assert!(first.is_some() && !breaker.wait(later).is_zero(), "a second one has to wait");
        breaker.end_probe(first);
        assert!(breaker.wait(later).is_zero(), "who leaves makes room for the next");
        let second = breaker.admit(later);
        assert!(!breaker.record_failure(first, later), "what the first has to say comes too late");
        assert!(breaker.record_failure(second, later));
        assert_eq!(breaker.wait(later), PAUSE);
        assert!(breaker.admit(later).is_some() && breaker.record_success() && breaker.wait(later).is_zero());
        assert!(breaker.admit(later).is_none(), "whoever comes now is an ordinary request");
    }

    #[test]
    fn one_that_takes_long_makes_room_for_the_next() {
        let (mut breaker, now) = (breaker(1), Instant::now());
        breaker.record_failure(None, now);
        let later = now + PAUSE;
        let slow = breaker.admit(later);
        assert!(!breaker.wait(later + PAUSE / 2).is_zero() && breaker.wait(later + PAUSE).is_zero());
        let next = breaker.admit(later + PAUSE);
        assert!(!breaker.record_failure(slow, later + PAUSE), "it decides nothing any more");
        breaker.end_probe(slow);
        assert!(!breaker.wait(later + PAUSE).is_zero() && breaker.record_failure(next, later + PAUSE));
    }

    #[test]
    fn off_it_never_opens() {
        let mut breaker = breaker(0);
        assert!((0..1000).all(|_| !breaker.record_failure(None, Instant::now())));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Ask,
        Answer,
        Fail,
        Leave,
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Ask),
            1 => Just(Step::Answer),
            3 => Just(Step::Fail),
            1 => Just(Step::Leave),
            1 => (0..15_u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn while_it_is_open_there_is_never_more_than_one_request_and_none_before_the_pause_is_over(
            steps in prop::collection::vec(step(), 0..200),
            enough in 1..6_u32,
        ) {
            let (mut breaker, mut now) = (breaker(enough), Instant::now());
            let (mut flying, mut open) = (Vec::new(), None::<Instant>);
            for step in steps {
                match step {
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                    Step::Ask if breaker.wait(now).is_zero() => {
                        let probe = breaker.admit(now);
                        prop_assert_eq!(probe.is_some(), open.is_some());
                        prop_assert!(open.is_none_or(|since| now >= since + PAUSE));
                        flying.push(probe);
                    }
                    Step::Ask => prop_assert!(open.is_some()),
                    Step::Answer => if flying.pop().is_some() {
                        breaker.record_success();
                        open = None;
                    },
                    Step::Fail => if let Some(probe) = flying.pop() && breaker.record_failure(probe, now) {
                        open = Some(now);
                    },
                    Step::Leave => if let Some(probe) = flying.pop() { breaker.end_probe(probe) },
                }
                let probes = flying.iter().filter(|probe| breaker.cooldown.is_current_probe(**probe)).count();
                prop_assert!(probes <= 1);
            }
        }
    }
}
