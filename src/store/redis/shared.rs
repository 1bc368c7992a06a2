//! The state that the operations and the watch share.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::Value;
use tokio::sync::mpsc;

use super::connections::Connections;
use super::health::Health;
use super::keys::Keys;
use super::log_position::LogPosition;
use super::months::MAX_CLOCK_DIFFERENCE;
use super::records::parsed;
use super::scripts::{CachedScript, Call, Scripts};
use crate::config;
use crate::domain::{Subject, UnixMs};
use crate::limits::Settlement;
use crate::limits::clock::Clock;
use crate::store::StoreError;

/// The interval between checks of Redis.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// The number of failed checks in a row after which the connections are renewed.
const FAILURES_UNTIL_RENEWAL: u32 = 6;
/// The time limit of operations on which admission does not wait, such as a settlement.
pub(super) const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(2);

/// The state that the operations and the watch share.
pub(super) struct Shared {
    pub(super) connections: Connections,
    pub(super) scripts: Scripts,
    pub(super) health: Health,
    pub(super) clock: Clock,
    pub(super) timeout: Duration,
    pub(super) keep: Duration,
    pub(super) namespace: config::Namespace,
    /// The channel for permits of gateways that must be dead, to be settled.
    pub(super) abandoned: mpsc::UnboundedSender<Settlement>,
    /// The position up to which the log of revocations was read.
    pub(super) log_position: Mutex<LogPosition>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Shared");
        debug.field("connections", &self.connections).field("health", &self.health).finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns the keys of one caller.
    pub(super) fn keys(&self, subject: &Subject) -> Keys {
        Keys::of(self.namespace, subject)
    }

    /// Runs a script for a caller, unless the caller's shard of Redis is known to be away.
    pub(super) async fn script(
        &self,
        script: &CachedScript,
        keys: &Keys,
        time_limit: Duration,
        call: impl FnOnce(&Self) -> Call,
    ) -> Result<Value, StoreError> {
        if self.health.is_shard_down(keys.shard()) {
            return Err(StoreError::Unavailable);
        }
        let answer = self.connections.script(script, call(self), time_limit).await;
        answer.inspect_err(|failure| match failure {
            StoreError::Rejected(what) => tracing::warn!(what, "Redis did not do what a request needs"),
            _ => self.record_failure(keys.shard(), failure),
        })
    }

    /// Notes that a shard failed. Usually the connections of the other workers have broken too, so all are renewed, lest
    /// a request discover it when Redis is back. Connections to a cluster repair themselves.
    fn record_failure(&self, shard: usize, failure: &StoreError) {
        if self.health.record_failure(shard, failure) && !self.connections.is_cluster() {
            self.connections.renew();
        }
    }

    /// Returns the time by the clock of a shard of Redis, or by the gateway's clock while that is unknown.
    pub(super) fn time(&self, shard: usize) -> UnixMs {
        self.health.time_of(shard, Duration::ZERO).map_or_else(|| self.clock.now(), |us| UnixMs::new(us / 1000))
    }

    /// Checks the shards that are away at every turn, and the others one after another.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut broken = 0_u32;
        for turn in (0..self.health.shards()).cycle() {
            let away = |shard: &usize| self.health.is_shard_down(*shard);
            let shards: Vec<_> = (0..self.health.shards()).filter(|shard| away(shard) || *shard == turn).collect();
            let tried = join_all(shards.iter().map(|shard| self.probe(*shard))).await;
            broken = if tried.iter().any(Result::is_err) { broken.saturating_add(1) } else { 0 };
            // The library usually reconnects automatically, and new connections disturb the healthy shards.
            if broken > 0 && broken.is_multiple_of(FAILURES_UNTIL_RENEWAL) {
                self.connections.renew();
            }
            tokio::time::sleep(HEALTH_CHECK_INTERVAL).await;
        }
    }

    pub(super) async fn probe(&self, shard: usize) -> Result<(), StoreError> {
        let key = self.health.key(shard);
        let keys =
            vec![format!("{key}:hash"), format!("{key}:sorted"), format!("{key}:records"), format!("{key}:text")];
        // A shard is back only if it answers as fast as requests need it to.
        let time_limit = self.timeout;
        let script = &self.scripts.probe;
        let started = Instant::now();
        let call = Call::new(keys, &());
        let answer = self.connections.script(script, call, time_limit).await;
        match answer.and_then(parsed).and_then(|now| self.check_clock(now)) {
            Ok(now) => {
                self.health.record_answer(shard, now, started.elapsed());
                Ok(())
            }
            Err(failure) => {
                self.record_failure(shard, &failure);
                Err(failure)
            }
        }
    }

    /// Checks that Redis's clock, in microseconds, is so close to the gateway's that at most one turn of a month lies
    /// between them.
    fn check_clock(&self, now: u64) -> Result<u64, StoreError> {
        let apart = UnixMs::new(now / 1000).get().abs_diff(self.clock.now().get());
        if u128::from(apart) < MAX_CLOCK_DIFFERENCE.as_millis() {
            return Ok(now);
        }
        Err(StoreError::Io("its clock and the gateway's differ by more than twelve hours".to_owned()))
    }
}
