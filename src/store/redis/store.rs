//! The store in Redis.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::RedisError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connections::Connections;
use super::health::Health;
#[cfg(test)]
use super::keys::Keys;
use super::records::parsed;
use super::scripts::{SERVER_CLOCK, Scripts};
use super::shared::{BACKGROUND_TIMEOUT, Shared};
use crate::config;
use crate::domain::{Subject, UnixMs};
use crate::limits::clock::Clock;
use crate::limits::{AdmitRequest, Decision, ReviseRequest, RevisionDecision, Settlement};
use crate::store::{Availability, StoreError};

/// The store in Redis.
#[derive(Debug)]
pub struct Redis {
    pub(super) shared: Arc<Shared>,
    watch: Option<JoinHandle<()>>,
}

impl Redis {
    /// Creates a store in the Redis of these settings, which connects on first use. Records are kept for `keep`; the
    /// permits of dead gateways go to `abandoned`. Call it on the runtime that shall run the watch.
    pub fn new(
        settings: &config::Redis,
        keep: Duration,
        clock: Clock,
        abandoned: mpsc::UnboundedSender<Settlement>,
    ) -> Result<Self, RedisError> {
        let mut store = Self::unwatched(settings, keep, clock, abandoned, SERVER_CLOCK)?;
        store.watch = Some(tokio::spawn(Arc::clone(&store.shared).watch()));
        Ok(store)
    }

    /// Creates a store whose scripts read the time as `script_clock` says, without a watch.
    fn unwatched(
        settings: &config::Redis,
        keep: Duration,
        clock: Clock,
        abandoned: mpsc::UnboundedSender<Settlement>,
        script_clock: &str,
    ) -> Result<Self, RedisError> {
        let scripts = Scripts::new(script_clock);
        let connections = Connections::new(&settings.url)?;
        let health = Health::new(clock.clone(), connections.is_cluster(), settings.namespace);
        let (timeout, namespace, log_position) = (settings.timeout, settings.namespace, Mutex::default());
        let shared = Shared { connections, scripts, health, clock, timeout, keep, namespace, abandoned, log_position };
        Ok(Self { shared: Arc::new(shared), watch: None })
    }

    /// See [`Store::admit`](crate::store::Store::admit).
    pub(in crate::store) async fn admit(&self, request: &AdmitRequest) -> Result<Decision, StoreError> {
        let (keys, started) = (self.shared.keys(&request.subject), Instant::now());
        let value = self
            .shared
            .script(&self.shared.scripts.admit, &keys, self.shared.timeout, |shared| shared.admit_call(request, &keys))
            .await?;
        self.shared.decision(request, &keys, value, started.elapsed())
    }

    /// See [`Store::revise`](crate::store::Store::revise).
    pub(in crate::store) async fn revise(&self, request: &ReviseRequest) -> Result<RevisionDecision, StoreError> {
        let (keys, started) = (self.shared.keys(&request.subject), Instant::now());
        let (script, call) = (&self.shared.scripts.revise, |shared: &Shared| shared.revise_call(request, &keys));
        let value = self.shared.script(script, &keys, self.shared.timeout, call).await?;
        self.shared.revision(&keys, value, started.elapsed())
    }

    /// See [`Store::settle`](crate::store::Store::settle).
    pub(in crate::store) async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let (keys, started) = (self.shared.keys(&settlement.subject), Instant::now());
        let time_limit = BACKGROUND_TIMEOUT.max(self.shared.timeout);
        let scripts = &self.shared.scripts;
        let is_void = settlement.is_void();
        let script = if is_void { &scripts.void } else { &scripts.settle };
        let call = |shared: &Shared| {
            if is_void { Shared::void_call(settlement, &keys) } else { shared.settle_call(settlement, &keys) }
        };
        let value = self.shared.script(script, &keys, time_limit, call).await?;
        self.shared.health.record_answer(keys.shard(), parsed(value)?, started.elapsed());
        Ok(())
    }

    pub(in crate::store) fn availability(&self) -> Availability {
        self.shared.health.availability()
    }

    pub(in crate::store) fn is_down_for(&self, subject: &Subject) -> bool {
        self.shared.health.is_shard_down(self.shared.keys(subject).shard())
    }

    /// Returns the time in the caller's shard of Redis, as far as it is known.
    pub(in crate::store) fn now(&self, subject: &Subject) -> UnixMs {
        self.shared.time(self.shared.keys(subject).shard())
    }

    /// Checks that every shard can be reached and written to.
    pub(super) async fn probe_shards(&self) -> Result<(), StoreError> {
        for shard in 0..self.shared.health.shards() {
            self.shared.probe(shard).await?;
        }
        Ok(())
    }
}

/// For tests: Redis goes by a clock that is moved by hand, and has no watch.
#[cfg(test)]
impl Redis {
    /// Creates a store whose scripts read the time from the key `voxgate:{caller}:clock`.
    pub(in crate::store) fn manual(
        settings: &config::Redis,
        keep: Duration,
        clock: Clock,
        abandoned: mpsc::UnboundedSender<Settlement>,
    ) -> Result<Self, RedisError> {
        Self::unwatched(settings, keep, clock, abandoned, include_str!("../tests/clock.lua"))
    }

    /// Returns the key of the charges of a caller's session.
    pub(crate) fn session_key(subject: &Subject, id: &str) -> String {
        Keys::of(config::Namespace::Production, subject).session(id)
    }

    /// Returns the key of the stream of a caller's records.
    pub(crate) fn ledger_of(subject: &Subject) -> String {
        Keys::of(config::Namespace::Production, subject).ledger()
    }

    /// Marks every shard as available again.
    pub(in crate::store) fn recovered(&self) {
        let now = u64::try_from(self.shared.clock.steady().as_micros()).unwrap();
        (0..self.shared.health.shards()).for_each(|shard| self.shared.health.record_answer(shard, now, Duration::ZERO));
        self.shared.connections.renew();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}
