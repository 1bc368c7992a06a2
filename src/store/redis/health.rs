//! The availability of Redis, shard by shard, and the offset of its clock from the gateway's.
//!
//! A request that finds Redis away marks its shard; from then on requests do not wait for that shard, until the watch has
//! written to it again. The log says once that Redis is away and once that it is back, not for each request.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use super::keys::{SHARDS, shard_of};
use crate::config::Namespace;
use crate::limits::clock::Clock;
use crate::store::{Availability, StoreError};

/// The time within which an answer is prompt enough to tell the time of Redis.
const MAX_CLOCK_READING: Duration = Duration::from_millis(50);
/// The offset of a clock that is not known yet.
const UNKNOWN: i64 = i64::MIN;

/// The state of every shard.
#[derive(Debug)]
pub(super) struct Health {
    clock: Clock,
    shards: Vec<Shard>,
    /// The number of shards that are away.
    away: AtomicUsize,
}

#[derive(Debug)]
struct Shard {
    away: AtomicBool,
    /// The difference of Redis's time minus the gateway's, in microseconds.
    offset: AtomicI64,
    /// A key that lies in this shard.
    key: String,
}

impl Health {
    /// Creates the state. `cluster`: the callers are divided among nodes, which may fail one by one.
    pub(super) fn new(clock: Clock, cluster: bool, namespace: Namespace) -> Self {
        let shard = |key| Shard { away: AtomicBool::new(false), offset: AtomicI64::new(UNKNOWN), key };
        let probe = |tag: usize| format!("{}:{{probe-{tag}}}:probe", namespace.key_prefix());
        let mut keys: Vec<Option<String>> = vec![None; if cluster { SHARDS } else { 1 }];
        for key in (0..).map(probe) {
            let at = if cluster { shard_of(&key) } else { 0 };
            if let Some(slot) = keys.get_mut(at) {
                slot.get_or_insert(key);
            }
            if keys.iter().all(Option::is_some) {
                break;
            }
        }
        Self { clock, shards: keys.into_iter().flatten().map(shard).collect(), away: AtomicUsize::new(0) }
    }

    /// Returns the number of shards.
    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Returns a key that lies in a shard.
    pub(super) fn key(&self, shard: usize) -> String {
        self.shard(shard).map(|shard| shard.key.clone()).unwrap_or_default()
    }

    /// Returns the availability of Redis, from all its shards.
    pub(super) fn availability(&self) -> Availability {
        match self.away.load(Ordering::Relaxed) {
            0 => Availability::Up,
            away if away < self.shards.len() => Availability::Degraded,
            _ => Availability::Down,
        }
    }

    /// Returns true if this shard is away.
    pub(super) fn is_shard_down(&self, shard: usize) -> bool {
        self.shard(shard).is_some_and(|shard| shard.away.load(Ordering::Relaxed))
    }

    /// Notes that a shard answered at `redis_us` by its own clock, to a question that took `elapsed`.
    pub(super) fn record_answer(&self, shard: usize, redis_us: u64, elapsed: Duration) {
        let Some(shard) = self.shard(shard) else { return };
        // The moment of the reading within that time is unknown, so a slow answer says little about a clock.
        if elapsed < MAX_CLOCK_READING || shard.offset.load(Ordering::Relaxed) == UNKNOWN {
            let offset = i64::try_from(redis_us).unwrap_or_default().saturating_sub(self.now_us());
            shard.offset.store(offset, Ordering::Relaxed);
        }
        if shard.away.swap(false, Ordering::Relaxed) && self.away.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!("Redis is back");
        }
    }

    /// Notes that a shard failed. Returns true if it was available before.
    pub(super) fn record_failure(&self, shard: usize, failure: &StoreError) -> bool {
        let Some(shard) = self.shard(shard) else { return false };
        let is_new = !shard.away.swap(true, Ordering::Relaxed);
        if is_new && self.away.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(cause = %failure, "Redis is away");
        }
        is_new
    }

    /// Returns the time by the clock of a shard, `after` from now, in microseconds since 1970; `None` while it is
    /// unknown.
    pub(super) fn time_of(&self, shard: usize, after: Duration) -> Option<u64> {
        let offset = self.shard(shard)?.offset.load(Ordering::Relaxed);
        let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let time = self.now_us().checked_add(offset)?.checked_add(after)?;
        u64::try_from(time).ok().filter(|_| offset != UNKNOWN)
    }

    fn shard(&self, shard: usize) -> Option<&Shard> {
        // Redis without a cluster has a single shard for all callers.
        self.shards.get(shard).or(self.shards.first())
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
    fn every_shard_of_a_cluster_has_a_key_that_lies_in_it() {
        let health = Health::new(Clock::system(), true, Namespace::Sandbox);
        assert_eq!(health.shards(), SHARDS);
        assert!((0..SHARDS).all(|shard| shard_of(&health.key(shard)) == shard));
        assert_eq!(Health::new(Clock::system(), false, Namespace::Production).shards(), 1);
    }

    #[test]
    fn one_shard_may_be_away_without_the_others() {
        let clock = Clock::manual(UnixMs::new(1000));
        let health = Health::new(clock.clone(), true, Namespace::Production);
        health.record_failure(3, &StoreError::Timeout);
        assert_eq!(health.availability(), Availability::Degraded);
        assert!(health.is_shard_down(3) && !health.is_shard_down(4));
        assert_eq!(health.time_of(3, Duration::ZERO), None);
        health.record_answer(3, 5_000_000, Duration::ZERO);
        assert_eq!(health.availability(), Availability::Up);
        clock.advance(Duration::from_millis(2));
        assert_eq!(health.time_of(3, Duration::from_millis(1)), Some(5_003_000));
    }
}
