//! The shared store: everything in Redis, so that any number of gateways hold the same limits.
//!
//! One script admits (`admit.lua`), one settles (`settle.lua`), one takes back questions whose callers have left
//! (`void.lua`). Each is one round trip, on keys of one caller, and may be sent again if its answer is lost. While
//! Redis is away or slow, a request waits at most `redis.timeout`.

mod calls;
mod connections;
mod health;
mod keys;
mod probe;
mod query;
mod records;
mod revoked;
mod scan;
mod sessions;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{RedisError, Script, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Availability, StoreError};
use crate::config;
use crate::domain::{Subject, UnixMs};
use crate::limits::clock::Clock;
use crate::limits::{AdmitRequest, Decision, Settlement};
use calls::CLOCKS_APART;
use connections::Link;
use health::Health;
use keys::Keys;
use records::parsed;
use revoked::Followed;

/// The interval between checks of Redis.
const WATCH: Duration = Duration::from_millis(500);
/// The number of failed checks in a row after which the connections are renewed.
const RENEW: u32 = 6;
/// The time limit of operations on which admission does not wait, such as a settlement.
const PATIENCE: Duration = Duration::from_secs(2);

/// A script: its text, and the hash by which Redis remembers it.
struct Source {
    text: Arc<str>,
    script: Script,
}

/// The scripts that are called by their hashes.
struct Sources {
    admit: Source,
    settle: Source,
    void: Source,
    open_session: Source,
    list_sessions: Source,
    forget_session: Source,
    probe: Source,
}

impl Sources {
    /// Creates the scripts from their texts, each changed by `edit`.
    fn new(edit: impl Fn(&str) -> String) -> Self {
        let source = |text| {
            let text = edit(text);
            Source { script: Script::new(&text), text: text.into() }
        };
        Self {
            admit: source(concat!(include_str!("rates.lua"), include_str!("admit.lua"))),
            settle: source(include_str!("settle.lua")),
            void: source(include_str!("void.lua")),
            open_session: source(concat!(
                include_str!("rates.lua"),
                include_str!("ended_sessions.lua"),
                include_str!("open_session.lua")
            )),
            list_sessions: source(concat!(include_str!("ended_sessions.lua"), include_str!("list_sessions.lua"))),
            forget_session: source(concat!(include_str!("ended_sessions.lua"), include_str!("forget_session.lua"))),
            probe: source(include_str!("probe.lua")),
        }
    }
}

/// The store in Redis.
#[derive(Debug)]
pub struct Redis {
    shared: Arc<Shared>,
    watch: Option<JoinHandle<()>>,
}

struct Shared {
    link: Link,
    sources: Sources,
    health: Health,
    clock: Clock,
    timeout: Duration,
    keep: Duration,
    namespace: config::Namespace,
    /// The channel for permits of gateways that must be dead, to be settled.
    abandoned: mpsc::UnboundedSender<Settlement>,
    /// The position up to which the log of revocations was read.
    followed: Mutex<Followed>,
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
        let mut store = Self::unwatched(settings, keep, clock, abandoned, Sources::new(ToOwned::to_owned))?;
        store.watch = Some(tokio::spawn(Arc::clone(&store.shared).watch()));
        Ok(store)
    }

    fn unwatched(
        settings: &config::Redis,
        keep: Duration,
        clock: Clock,
        abandoned: mpsc::UnboundedSender<Settlement>,
        sources: Sources,
    ) -> Result<Self, RedisError> {
        let link = Link::new(&settings.url)?;
        let health = Health::new(clock.clone(), link.is_cluster(), settings.namespace);
        let (timeout, namespace, followed) = (settings.timeout, settings.namespace, Mutex::default());
        let shared = Shared { link, sources, health, clock, timeout, keep, namespace, abandoned, followed };
        Ok(Self { shared: Arc::new(shared), watch: None })
    }

    /// See [`Store::admit`](super::Store::admit).
    pub(super) async fn admit(&self, ask: &AdmitRequest) -> Result<Decision, StoreError> {
        let (keys, asked) = (self.shared.keys(&ask.subject), Instant::now());
        let value = self
            .shared
            .script(&self.shared.sources.admit, &keys, self.shared.timeout, |shared| shared.admit_call(ask, &keys))
            .await?;
        self.shared.decision(ask, &keys, value, asked.elapsed())
    }

    /// See [`Store::settle`](super::Store::settle).
    pub(super) async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let (keys, asked) = (self.shared.keys(&settlement.subject), Instant::now());
        let patience = PATIENCE.max(self.shared.timeout);
        let sources = &self.shared.sources;
        let is_void = settlement.is_void();
        let source = if is_void { &sources.void } else { &sources.settle };
        let call = |shared: &Shared| {
            if is_void { Shared::void_call(settlement, &keys) } else { shared.settle_call(settlement, &keys) }
        };
        let value = self.shared.script(source, &keys, patience, call).await?;
        self.shared.health.answered(keys.part(), parsed(value)?, asked.elapsed());
        Ok(())
    }

    pub(super) fn presence(&self) -> Availability {
        self.shared.health.presence()
    }

    pub(super) fn is_away_for(&self, subject: &Subject) -> bool {
        self.shared.health.is_part_away(self.shared.keys(subject).part())
    }

    /// Returns the time in the caller's part of Redis, as far as it is known.
    pub(super) fn now(&self, subject: &Subject) -> UnixMs {
        self.shared.time(self.shared.keys(subject).part())
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        for part in 0..self.shared.health.parts() {
            self.shared.probe(part).await?;
        }
        Ok(())
    }
}

/// For tests: Redis goes by a clock that is moved by hand, and has no watch.
#[cfg(test)]
impl Redis {
    /// Creates a store whose scripts read the time from the key `voxgate:{caller}:clock`.
    pub(super) fn by_hand(
        settings: &config::Redis,
        keep: Duration,
        clock: Clock,
        abandoned: mpsc::UnboundedSender<Settlement>,
    ) -> Result<Self, RedisError> {
        let edits = [
            ("redis.call('TIME')", "redis.call('HMGET', KEYS[1]:match('^.*}') .. ':clock', 'seconds', 'micros')"),
            // Redis expires keys and numbers records by its own clock, so let the keys live longer and number the
            // records here.
            ("'PEXPIRE', rates, ", "'PEXPIRE', rates, '99' .. "),
            ("'*', 'id'", "string.format('%.0f-*', now_ms), 'id'"),
        ];
        let edit = |text: &str| edits.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        Self::unwatched(settings, keep, clock, abandoned, Sources::new(edit))
    }

    /// Returns the key of the stream of a caller's records.
    pub(crate) fn ledger_of(subject: &Subject) -> String {
        Keys::of(config::Namespace::Production, subject).ledger()
    }

    /// Marks every part as available again.
    pub(super) fn recovered(&self) {
        let now = u64::try_from(self.shared.clock.steady().as_micros()).unwrap();
        (0..self.shared.health.parts()).for_each(|part| self.shared.health.answered(part, now, Duration::ZERO));
        self.shared.link.renew();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("link", &self.link).field("health", &self.health).finish_non_exhaustive()
    }
}

/// The keys and arguments of a script.
type Call = (Vec<String>, Vec<String>);

impl Shared {
    /// Returns the keys of one caller.
    fn keys(&self, subject: &Subject) -> Keys {
        Keys::of(self.namespace, subject)
    }

    /// Runs a script for a caller, unless the caller's part of Redis is known to be away.
    async fn script(
        &self,
        source: &Source,
        keys: &Keys,
        patience: Duration,
        call: impl FnOnce(&Self) -> Call,
    ) -> Result<Value, StoreError> {
        if self.health.is_part_away(keys.part()) {
            return Err(StoreError::Away);
        }
        let answer = self.link.script(&source.script, &source.text, call(self), patience).await;
        answer.inspect_err(|failure| match failure {
            StoreError::Refused(what) => tracing::warn!(what, "Redis did not do what a request needs"),
            _ => self.failed(keys.part(), failure),
        })
    }

    /// Notes that a part failed. Usually the connections of the other workers have broken too, so all are renewed, lest
    /// a request discover it when Redis is back. Connections to a cluster repair themselves.
    fn failed(&self, part: usize, failure: &StoreError) {
        if self.health.failed(part, failure) && !self.link.is_cluster() {
            self.link.renew();
        }
    }

    /// Returns the time by the clock of a part of Redis, or by the gateway's clock while that is unknown.
    fn time(&self, part: usize) -> UnixMs {
        self.health.time_of(part, Duration::ZERO).map_or_else(|| self.clock.now(), |us| UnixMs::new(us / 1000))
    }

    /// Checks the parts that are away at every turn, and the others one after another.
    async fn watch(self: Arc<Self>) {
        let mut broken = 0_u32;
        for turn in (0..self.health.parts()).cycle() {
            let away = |part: &usize| self.health.is_part_away(*part);
            let parts: Vec<_> = (0..self.health.parts()).filter(|part| away(part) || *part == turn).collect();
            let tried = join_all(parts.iter().map(|part| self.probe(*part))).await;
            broken = if tried.iter().any(Result::is_err) { broken.saturating_add(1) } else { 0 };
            // The library usually reconnects automatically, and new connections disturb the healthy parts.
            if broken > 0 && broken.is_multiple_of(RENEW) {
                self.link.renew();
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    async fn probe(&self, part: usize) -> Result<(), StoreError> {
        let key = self.health.key(part);
        let keys = vec![format!("{key}:hash"), format!("{key}:sorted"), format!("{key}:records")];
        // A part is back only if it answers as fast as requests need it to.
        let patience = self.timeout;
        let source = &self.sources.probe;
        let asked = Instant::now();
        let answer = self.link.script(&source.script, &source.text, (keys, Vec::new()), patience).await;
        match answer.and_then(parsed).and_then(|now| self.agree_on(now)) {
            Ok(now) => {
                self.health.answered(part, now, asked.elapsed());
                Ok(())
            }
            Err(failure) => {
                self.failed(part, &failure);
                Err(failure)
            }
        }
    }

    /// Checks that Redis's clock, in microseconds, is so close to the gateway's that at most one turn of a month lies
    /// between them.
    fn agree_on(&self, now: u64) -> Result<u64, StoreError> {
        let apart = UnixMs::new(now / 1000).get().abs_diff(self.clock.now().get());
        if u128::from(apart) < CLOCKS_APART.as_millis() {
            return Ok(now);
        }
        Err(StoreError::Failed("its clock and the gateway's differ by more than twelve hours".to_owned()))
    }
}
