//! The availability of Redis, part by part, and the offset of its clock from the gateway's.
//!
//! A request that finds Redis away marks its part; from then on requests do not wait for that part, until the watch has
//! written to it again. The log tells once that Redis is away and once that it is back, not for each request.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use super::keys::{PARTS, part_of};
use crate::config::Namespace;
use crate::limits::clock::Clock;
use crate::store::{Availability, StoreError};

/// The time within which an answer is prompt enough to tell the time of Redis.
const PROMPT: Duration = Duration::from_millis(50);
/// The offset of a clock that is not known yet.
const UNKNOWN: i64 = i64::MIN;

/// The state of every part.
#[derive(Debug)]
pub(super) struct Health {
    clock: Clock,
    parts: Vec<Part>,
    /// The number of parts that are away.
    away: AtomicUsize,
}

#[derive(Debug)]
struct Part {
    away: AtomicBool,
    /// The difference of Redis's time minus the gateway's, in microseconds.
    offset: AtomicI64,
    /// A key that lies in this part.
    key: String,
}

impl Health {
    /// Creates the state. `cluster`: the callers are divided among nodes, which may fail one by one.
    pub(super) fn new(clock: Clock, cluster: bool, namespace: Namespace) -> Self {
        let part = |key| Part { away: AtomicBool::new(false), offset: AtomicI64::new(UNKNOWN), key };
        let probe = |tag: usize| format!("{}:{{probe-{tag}}}:probe", namespace.key_prefix());
        let mut keys: Vec<Option<String>> = vec![None; if cluster { PARTS } else { 1 }];
        for key in (0..).map(probe) {
            let at = if cluster { part_of(&key) } else { 0 };
            if let Some(slot) = keys.get_mut(at) {
                slot.get_or_insert(key);
            }
            if keys.iter().all(Option::is_some) {
                break;
            }
        }
        Self { clock, parts: keys.into_iter().flatten().map(part).collect(), away: AtomicUsize::new(0) }
    }

    /// Returns the number of parts.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Returns a key that lies in a part.
    pub(super) fn key(&self, part: usize) -> String {
        self.part(part).map(|part| part.key.clone()).unwrap_or_default()
    }

    /// Returns the availability of Redis, from all its parts.
    pub(super) fn presence(&self) -> Availability {
        match self.away.load(Ordering::Relaxed) {
            0 => Availability::There,
            away if away < self.parts.len() => Availability::PartlyAway,
            _ => Availability::Away,
        }
    }

    /// Returns true if this part is away.
    pub(super) fn is_part_away(&self, part: usize) -> bool {
        self.part(part).is_some_and(|part| part.away.load(Ordering::Relaxed))
    }

    /// Notes that a part answered at `redis_us` by its own clock, to a question that took this long.
    pub(super) fn answered(&self, part: usize, redis_us: u64, took: Duration) {
        let Some(part) = self.part(part) else { return };
        // The moment of the reading within that time is unknown, so a slow answer says little about a clock.
        if took < PROMPT || part.offset.load(Ordering::Relaxed) == UNKNOWN {
            let offset = i64::try_from(redis_us).unwrap_or_default().saturating_sub(self.now_us());
            part.offset.store(offset, Ordering::Relaxed);
        }
        if part.away.swap(false, Ordering::Relaxed) && self.away.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!("Redis is back");
        }
    }

    /// Notes that a part failed. Returns true if it was available before.
    pub(super) fn failed(&self, part: usize, failure: &StoreError) -> bool {
        let Some(part) = self.part(part) else { return false };
        let news = !part.away.swap(true, Ordering::Relaxed);
        if news && self.away.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(cause = %failure, "Redis is away");
        }
        news
    }

    /// Returns the time by the clock of a part, `after` from now, in microseconds since 1970; `None` while it is
    /// unknown.
    pub(super) fn time_of(&self, part: usize, after: Duration) -> Option<u64> {
        let offset = self.part(part)?.offset.load(Ordering::Relaxed);
        let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let time = self.now_us().checked_add(offset)?.checked_add(after)?;
        u64::try_from(time).ok().filter(|_| offset != UNKNOWN)
    }

    fn part(&self, part: usize) -> Option<&Part> {
        // Redis without a cluster has a single part for all callers.
        self.parts.get(part).or(self.parts.first())
    }

    fn now_us(&self) -> i64 {
        i64::try_from(self.clock.steady().as_micros()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UnixMs;

    #[test]
    fn every_part_of_a_cluster_has_a_key_that_lies_in_it() {
        let health = Health::new(Clock::system(), true, Namespace::Sandbox);
        assert_eq!(health.parts(), PARTS);
        assert!((0..PARTS).all(|part| part_of(&health.key(part)) == part));
        assert_eq!(Health::new(Clock::system(), false, Namespace::Production).parts(), 1);
    }

    #[test]
    fn one_part_may_be_away_without_the_others() {
        let clock = Clock::manual(UnixMs::new(1000));
        let health = Health::new(clock.clone(), true, Namespace::Production);
        health.failed(3, &StoreError::Slow);
        assert_eq!(health.presence(), Availability::PartlyAway);
        assert!(health.is_part_away(3) && !health.is_part_away(4));
        assert_eq!(health.time_of(3, Duration::ZERO), None);
        health.answered(3, 5_000_000, Duration::ZERO);
        assert_eq!(health.presence(), Availability::There);
        clock.advance(Duration::from_millis(2));
        assert_eq!(health.time_of(3, Duration::from_millis(1)), Some(5_003_000));
    }
}
