//! The connections to Redis: for each runtime one multiplexed connection, or one to each node of a cluster. A lost
//! connection is made again automatically.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::{Client, Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, Value};
use tokio::runtime::{Handle, Id};
use tokio::time::{sleep, timeout};

use crate::config::RedisUrl;
use crate::store::StoreError;

/// The time limit for making a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// The time limit for an answer on a connection, even after its caller has left.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// The idle time after which a connection is not trusted: servers and middleboxes close idle connections, and the
/// request that discovers it would fail. Connections to a cluster retry automatically.
const IDLE: Duration = Duration::from_secs(20);

/// The maximum number of attempts for one question. The second attempt uses a fresh connection; further ones are for a
/// server that closes all connections at once.
const MAX_ATTEMPTS: u32 = 4;
/// The time that a cluster's client gets to reconnect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

/// The connections to Redis.
///
/// Each runtime has a separate connection: a question stays on the thread that asks it, which saves two wake-ups of
/// another thread (measured: a third of the wait), and a worker that stops takes no connection away from another.
pub(super) struct Link {
    pub(super) target: Target,
    wires: Mutex<HashMap<Id, Own>>,
}

/// A runtime's connection, and the time of its last use.
struct Own {
    wire: Wire,
    used: Instant,
}

/// The server or the cluster behind the connections.
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
    /// Creates a link to `url` that connects on first use.
    pub(super) fn new(url: &RedisUrl) -> RedisResult<Self> {
        let target = match url.cluster_nodes() {
            Some(nodes) => {
                let client = Box::new(ClusterClient::builder(nodes).retries(2).build()?);
                Target::Cluster { client, url: url.clone() }
            }
            None => Target::Single(Box::new(Client::open(url.expose())?)),
        };
        Ok(Self { target, wires: Mutex::default() })
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster { .. })
    }

    /// Replaces all connections by fresh ones: the old ones may lead to the server before a failover.
    pub(super) fn renew(&self) {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs a script, and waits at most `patience` for its answer. The script runs to its end even if the caller
    /// leaves, and must be safe to run twice.
    pub(super) async fn script(
        &self,
        script: &Script,
        source: &Arc<str>,
        (keys, arguments): (Vec<String>, Vec<String>),
        patience: Duration,
    ) -> Result<Value, StoreError> {
        let by = move |command: &str, script: &str| {
            let mut command = redis::cmd(command);
            command.arg(script).arg(keys.len()).arg(&keys).arg(&arguments);
            command
        };
        let by_hash = by("EVALSHA", script.get_hash());
        let (mut wire, source) = (self.wire()?, Arc::clone(source));
        let deadline = Instant::now() + patience;
        unhurried(patience, async move {
            match wire.insist(&by_hash, deadline).await {
                // After a restart or a flush of scripts, send the text itself, which Redis then remembers.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    wire.insist(&by("EVAL", &source), deadline).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Runs a command, which must be safe to run twice.
    pub(super) async fn run(&self, command: Cmd, patience: Duration) -> Result<Value, StoreError> {
        let (mut wire, deadline) = (self.wire()?, Instant::now() + patience);
        unhurried(patience, async move { wire.insist(&command, deadline).await }).await
    }

    /// Returns the connection of this runtime.
    fn wire(&self) -> Result<Wire, StoreError> {
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = Handle::current().id();
        let used = Instant::now();
        if let Some(own) = wires.get_mut(&runtime).filter(|own| self.is_cluster() || own.used.elapsed() < IDLE) {
            own.used = used;
            return Ok(own.wire.clone());
        }
        let wire = self.target.connect().map_err(|error| failure(&error))?;
        wires.insert(runtime, Own { wire: wire.clone(), used });
        Ok(wire)
    }
}

/// Runs `work` to its end even if the caller leaves, and waits at most `patience` for its answer.
async fn unhurried(
    patience: Duration,
    work: impl Future<Output = RedisResult<Value>> + Send + 'static,
) -> Result<Value, StoreError> {
    match timeout(patience, tokio::spawn(work)).await {
        Err(_) => Err(StoreError::Slow),
        Ok(Err(_)) => Err(StoreError::Failed("its connection was given up".to_owned())),
        Ok(Ok(answer)) => answer.map_err(|error| failure(&error)),
    }
}

impl Target {
    fn connect(&self) -> RedisResult<Wire> {
        Ok(match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    // The waiting request fails at once; the next one attempts to connect again.
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
    /// Runs a command, and repeats it on a new connection if this one turns out to be closed: servers and middleboxes
    /// close idle connections, which tells nothing about the server. A server that cannot be reached is an error at
    /// once.
    async fn insist(&mut self, command: &Cmd, deadline: Instant) -> RedisResult<Value> {
        let mut answer = self.run(command).await;
        for _ in 1..MAX_ATTEMPTS {
            match &answer {
                Err(error) if self.lost_connection(error) && Instant::now() < deadline => {}
                _ => break,
            }
            if matches!(self, Self::Cluster(_)) {
                // The client reconnects in the background.
                sleep(RECONNECT_PAUSE).await;
            }
            answer = self.run(command).await;
        }
        answer
    }

    /// Returns true if a connection was closed during a question, or while it was made.
    fn lost_connection(&self, error: &RedisError) -> bool {
        // Without its connection to a node, a cluster's client asks any other node, which redirects it.
        let is_sent_away =
            matches!(error.kind(), ErrorKind::ClusterConnectionNotFound | ErrorKind::Server(ServerErrorKind::Moved));
        let is_cluster = matches!(self, Self::Cluster(_));
        error.is_connection_dropped() && !error.is_connection_refusal() || is_cluster && is_sent_away
    }

    async fn run(&mut self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self {
            Self::Single(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        };
        // The library returns an error of the server as a value.
        answer.and_then(Value::extract_error)
    }
}

/// Hides the address, which may hold a password.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("cluster", &self.is_cluster()).finish_non_exhaustive()
    }
}

/// The errors by which a server refuses every request, not just this one.
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

/// Describes an error without the address, which may hold a password.
pub(super) fn failure(error: &RedisError) -> StoreError {
    let Some(code) = error.code() else {
        return StoreError::Failed(match error.kind() {
            _ if error.is_connection_refusal() => "it refuses connections".to_owned(),
            ErrorKind::Io => "it cannot be reached".to_owned(),
            ErrorKind::ClusterConnectionNotFound => "no node of the cluster can be reached".to_owned(),
            _ => error.category().to_owned(),
        });
    };
    // The position of the error in the script is of no use to the reader of the message.
    let detail = error.detail().map(|detail| detail.split(" script: ").next().unwrap_or(detail));
    let what = detail.map_or_else(|| code.to_owned(), |detail| format!("{code} {detail}"));
    if REFUSES_ALL.contains(&code) || what.contains("ACL failure") {
        StoreError::Failed(what)
    } else {
        StoreError::Refused(what)
    }
}
