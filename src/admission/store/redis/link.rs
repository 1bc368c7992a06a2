//! The way to Redis: one multiplexed connection, or one to each node of a cluster, that comes back by itself.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::{Client, Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::super::StoreFailure;
use crate::config::RedisUrl;

/// How long making a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// How long a connection waits for an answer that nobody may be waiting for any more.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// The way to Redis.
///
/// Connections live on one runtime, the one that is closed last: a worker that stops takes none with it.
pub(super) struct Link {
    home: Handle,
    pub(super) target: Target,
    wire: Mutex<Wire>,
}

/// Where it leads.
pub(super) enum Target {
    Single(Box<Client>),
    Cluster { client: Box<ClusterClient>, url: RedisUrl },
}

#[derive(Clone)]
enum Wire {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// A link to `url` that connects when it is needed. To be called on the runtime that shall keep the connections.
    pub(super) fn new(url: &RedisUrl) -> RedisResult<Self> {
        let target = match url.cluster_nodes() {
            Some(nodes) => {
                let client = Box::new(ClusterClient::builder(nodes).retries(2).build()?);
                Target::Cluster { client, url: url.clone() }
            }
            None => Target::Single(Box::new(Client::open(url.expose())?)),
        };
        let wire = target.connect()?;
        Ok(Self { home: Handle::current(), target, wire: Mutex::new(wire) })
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster { .. })
    }

    /// Begins anew with a fresh connection: the old one may lead to where Redis was before a failover.
    pub(super) fn renew(&self) {
        let _home = self.home.enter();
        if let Ok(wire) = self.target.connect() {
            *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = wire;
        }
    }

    /// Runs a script, and waits for it as long as `patience`. It runs whether or not it is waited for.
    pub(super) async fn script(
        &self,
        script: &Script,
        source: &str,
        keys: &[String],
        arguments: &[String],
        patience: Duration,
    ) -> Result<Value, StoreFailure> {
        let by = |command: &str, script: &str| {
            let mut command = redis::cmd(command);
            command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        let (by_hash, by_source) = (by("EVALSHA", script.get_hash()), by("EVAL", source));
        let mut wire = self.wire();
        self.at_home(patience, async move {
            match wire.run(&by_hash).await {
                // After a restart or a flush of scripts: the text itself, which is remembered from then on.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    wire.run(&by_source).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Runs one command.
    pub(super) async fn run(&self, command: Cmd, patience: Duration) -> Result<Value, StoreFailure> {
        let mut wire = self.wire();
        self.at_home(patience, async move { wire.run(&command).await }).await
    }

    fn wire(&self) -> Wire {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn at_home(
        &self,
        patience: Duration,
        work: impl Future<Output = RedisResult<Value>> + Send + 'static,
    ) -> Result<Value, StoreFailure> {
        match timeout(patience, self.home.spawn(work)).await {
            Err(_) => Err(StoreFailure::Slow),
            Ok(Err(_)) => Err(StoreFailure::Failed("its connection was given up".to_owned())),
            Ok(Ok(answer)) => answer.map_err(|error| failure(&error)),
        }
    }
}

impl Target {
    fn connect(&self) -> RedisResult<Wire> {
        Ok(match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    // Whoever waits is told at once; the next one tries again.
                    .set_number_of_retries(0)
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(Some(ANSWER));
                Wire::Single(ConnectionManager::new_lazy_with_config(Client::clone(client), config)?)
            }
            Self::Cluster { client, .. } => {
                let config = ClusterConfig::new().set_connection_timeout(CONNECT).set_response_timeout(ANSWER);
                Wire::Cluster(client.get_pending_async_connection_with_config(config))
            }
        })
    }
}

impl Wire {
    async fn run(&mut self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self {
            Self::Single(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        };
        // The library hands an error of the server on as a value.
        answer.and_then(Value::extract_error)
    }
}

/// Not where it leads: the address may hold a password.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("cluster", &self.is_cluster()).finish_non_exhaustive()
    }
}

/// By these a server says that it refuses everybody, and not this one request.
const REFUSES_ALL: [&str; 14] = [
    "BUSY",
    "CLOCK",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// What went wrong, without the address, which may hold a password.
pub(super) fn failure(error: &RedisError) -> StoreFailure {
    let Some(code) = error.code() else {
        return StoreFailure::Failed(match error.kind() {
            _ if error.is_connection_refusal() => "it refuses connections".to_owned(),
            ErrorKind::Io => "it cannot be reached".to_owned(),
            ErrorKind::ClusterConnectionNotFound => "no node of the cluster can be reached".to_owned(),
            _ => error.category().to_owned(),
        });
    };
    // Where in a script it went wrong is of no use to whoever reads it.
    let detail = error.detail().map(|detail| detail.split(" script: ").next().unwrap_or(detail));
    let what = detail.map_or_else(|| code.to_owned(), |detail| format!("{code} {detail}"));
    if REFUSES_ALL.contains(&code) || what.contains("ACL failure") {
        StoreFailure::Failed(what)
    } else {
        StoreFailure::Refused(what)
    }
}
