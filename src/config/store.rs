//! `[store]`, `[redis]`, `[ledger]` and `on_store_failure`: the store of limits and budgets, and the rules for its
//! failure.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use toml::Value;

use super::reader::Section;
use super::value::{Setting, TextError, parse_text, text_settings};
use crate::domain::words::words;

/// The store of limits, budgets and the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// `store.data_dir`, `VOXGATE_DATA_DIR`: the directory of the embedded store, and of settlements that Redis could not
    /// take; voxgate-data.
    pub data_dir: PathBuf,
    /// `store.max_pending`: the largest number of settlements that are kept while the store is down; 100000.
    pub max_pending: usize,
    /// `[redis]`; `None` for the embedded store.
    pub redis: Option<Redis>,
    /// `on_store_failure`
    pub on_failure: OnStoreFailure,
    /// `ledger.keep_days`: the time that single records are kept; 62 days.
    pub keep_records: Duration,
    /// The namespace in the store that this gateway uses.
    pub namespace: Namespace,
}

/// A namespace in the store: charges, budgets, sessions and revocations that are read and written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Namespace {
    /// The namespace of a gateway with a provider, which charges for its work.
    #[default]
    Production,
    /// The namespace of a gateway that serves from its sandbox alone: its charges were never spent, and must not use up a
    /// real budget.
    Sandbox,
}

impl Namespace {
    /// Both namespaces.
    pub const ALL: [Self; 2] = [Self::Production, Self::Sandbox];

    /// Returns its file in the data directory.
    pub const fn database(self) -> &'static str {
        match self {
            Self::Production => "voxgate.sqlite3",
            Self::Sandbox => "sandbox.sqlite3",
        }
    }

    /// Returns its folder in the data directory, for settlements that wait for the store.
    pub const fn journal(self) -> &'static str {
        match self {
            Self::Production => "settlements",
            Self::Sandbox => "sandbox-settlements",
        }
    }

    /// Returns the prefix of its keys in Redis, without the colon that follows.
    pub const fn key_prefix(self) -> &'static str {
        match self {
            Self::Production => "voxgate",
            Self::Sandbox => "voxgate:sandbox",
        }
    }
}

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// `redis.url`, `REDIS_URL`
    pub url: RedisUrl,
    /// The longest time that a request waits for Redis; 250ms.
    pub timeout: Duration,
    /// [`Store::namespace`].
    pub namespace: Namespace,
}

/// The treatment of requests while the store is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStoreFailure {
    /// Each gateway enforces the rates of each caller's plan locally, and the budgets as last read from the store.
    #[default]
    Local,
    /// The gateway answers 503.
    Deny,
}

words!(OnStoreFailure { Local = "local", Deny = "deny" });
text_settings!(OnStoreFailure);

/// The address of Redis. It is secret, since it may hold a password.
#[derive(Debug, Clone)]
pub struct RedisUrl(SecretString);

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for RedisUrl {}

/// The schemes of an address of Redis.
const SCHEMES: [&str; 6] =
    ["redis://", "rediss://", "redis+unix://", "unix://", "redis+cluster://", "rediss+cluster://"];

impl RedisUrl {
    /// Returns the address with its password.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the given nodes of a cluster, through which the others are found, each as an address; `None` if it is not
    /// a cluster.
    pub fn cluster_nodes(&self) -> Option<Vec<String>> {
        let (scheme, rest) = self.expose().split_once("+cluster://")?;
        let (login, hosts) =
            rest.rsplit_once('@').map_or((String::new(), rest), |(login, hosts)| (format!("{login}@"), hosts));
        let hosts = hosts.split_once('/').map_or(hosts, |(hosts, _)| hosts);
        Some(hosts.split(',').map(|host| format!("{scheme}://{login}{host}")).collect())
    }
}

/// The error of a text that is not an address of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "takes redis://host:port/database, rediss://…, redis+unix:///path, redis+cluster://host:port,host:port or \
     rediss+cluster://…"
)]
pub struct RedisUrlError;

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        let text = text.trim();
        let is_known = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        let url = Self(text.to_owned().into());
        let nodes = url.cluster_nodes().unwrap_or_else(|| vec![text.to_owned()]);
        let is_readable = nodes.iter().all(|node| redis::Client::open(node.as_str()).is_ok());
        if is_known && is_readable { Ok(url) } else { Err(RedisUrlError) }
    }
}

impl Setting for RedisUrl {
    type Err = TextError<RedisUrlError>;
    const SECRET: bool = true;

    fn parse(value: &Value) -> Result<Self, Self::Err> {
        parse_text(value)
    }
}

impl Store {
    pub(super) fn read(root: &mut Section) -> Self {
        let mut section = root.section("store");
        let data_dir = section.value("data_dir", PathBuf::from("voxgate-data"));
        let max_pending = section.ranged("max_pending", 1..=10_000_000).unwrap_or(100_000);
        section.finish();
        let mut section = root.section("ledger");
        let keep_days = section.ranged("keep_days", 32..=3660).unwrap_or(62);
        section.finish();
        Self {
            data_dir,
            max_pending: usize::try_from(max_pending).unwrap_or(usize::MAX),
            redis: read_redis(root.section("redis")),
            on_failure: root.value("on_store_failure", OnStoreFailure::default()),
            keep_records: Duration::from_hours(24 * keep_days),
            namespace: Namespace::default(),
        }
    }

    /// Returns the store with another namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        if let Some(redis) = &mut self.redis {
            redis.namespace = namespace;
        }
        self
    }
}

fn read_redis(mut section: Section) -> Option<Redis> {
    let url = section.optional("url");
    let timeout = section.value("timeout", Duration::from_millis(250));
    section.finish();
    Some(Redis { url: url?, timeout, namespace: Namespace::default() })
}
