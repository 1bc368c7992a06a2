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
use redis::{Client, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::runtime::{Handle, Id};
use tokio::time::{sleep, timeout};

use super::scripts::{CachedScript, Call};
use crate::config::RedisUrl;
use crate::store::StoreError;

/// The time limit for making a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The time limit for an answer on a connection, even after its caller has left.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The idle time after which a connection is not trusted: servers and middleboxes close idle connections, and the
/// request that discovers it would fail. Connections to a cluster retry automatically.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// The maximum number of attempts for one question. The second attempt uses a fresh connection; further ones are for a
/// server that closes all connections at once.
const MAX_ATTEMPTS: u32 = 4;
/// The time that a cluster's client gets to reconnect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

/// The connections to Redis.
///
/// Each runtime has a separate connection: a question stays on the thread that asks it, which saves two wake-ups of
/// another thread (measured: a third of the wait), and a worker that stops takes no connection away from another.
pub(super) struct Connections {
    pub(super) target: Target,
    by_runtime: Mutex<HashMap<Id, RuntimeConnection>>,
}

/// A runtime's connection, and the time of its last use.
struct RuntimeConnection {
    connection: Connection,
    used: Instant,
}

/// The server or the cluster behind the connections.
pub(super) enum Target {
    Single(Box<Client>),
    Cluster { client: Box<ClusterClient>, url: RedisUrl },
}

#[derive(Clone)]
enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Connections {
    /// Creates the connections to `url`, each made on its first use.
    pub(super) fn new(url: &RedisUrl) -> RedisResult<Self> {
        let target = match url.cluster_nodes() {
            Some(nodes) => {
                let client = Box::new(ClusterClient::builder(nodes).retries(2).build()?);
                Target::Cluster { client, url: url.clone() }
            }
            None => Target::Single(Box::new(Client::open(url.expose())?)),
        };
        Ok(Self { target, by_runtime: Mutex::default() })
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster { .. })
    }

    /// Replaces all connections by fresh ones: the old ones may lead to the server before a failover.
    pub(super) fn renew(&self) {
        self.by_runtime.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs a script, and waits at most `time_limit` for its answer. The script runs to its end even if the caller
    /// leaves, and must be safe to run twice.
    pub(super) async fn script(
        &self,
        script: &CachedScript,
        Call { keys, arguments }: Call,
        time_limit: Duration,
    ) -> Result<Value, StoreError> {
        let command_by = move |command: &str, script: &str| {
            let mut command = redis::cmd(command);
            command.arg(script).arg(keys.len()).arg(&keys).arg(&arguments);
            command
        };
        let by_hash = command_by("EVALSHA", script.script.get_hash());
        let (mut connection, text) = (self.connection()?, Arc::clone(&script.text));
        let deadline = Instant::now() + time_limit;
        run_detached(time_limit, async move {
            match connection.run_with_retry(&by_hash, deadline).await {
                // After a restart or a flush of scripts, send the text itself, which Redis then remembers.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    connection.run_with_retry(&command_by("EVAL", &text), deadline).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Runs a command, which must be safe to run twice.
    pub(super) async fn run(&self, command: Cmd, time_limit: Duration) -> Result<Value, StoreError> {
        let (mut connection, deadline) = (self.connection()?, Instant::now() + time_limit);
        run_detached(time_limit, async move { connection.run_with_retry(&command, deadline).await }).await
    }

    /// Returns the connection of this runtime.
    fn connection(&self) -> Result<Connection, StoreError> {
        let mut by_runtime = self.by_runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = Handle::current().id();
        let used = Instant::now();
        if let Some(own) = by_runtime.get_mut(&runtime).filter(|own| self.is_cluster() || own.used.elapsed() < MAX_IDLE)
        {
            own.used = used;
            return Ok(own.connection.clone());
        }
        let connection = self.target.connect().map_err(|error| failure(&error))?;
        by_runtime.insert(runtime, RuntimeConnection { connection: connection.clone(), used });
        Ok(connection)
    }
}

/// Runs `work` to its end even if the caller leaves, and waits at most `time_limit` for its answer.
async fn run_detached(
    time_limit: Duration,
    work: impl Future<Output = RedisResult<Value>> + Send + 'static,
) -> Result<Value, StoreError> {
    match timeout(time_limit, tokio::spawn(work)).await {
        Err(_) => Err(StoreError::Timeout),
        Ok(Err(_)) => Err(StoreError::Io("its connection was given up".to_owned())),
        Ok(Ok(answer)) => answer.map_err(|error| failure(&error)),
    }
}

impl Target {
    fn connect(&self) -> RedisResult<Connection> {
        Ok(match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    // The waiting request fails at once; the next one attempts to connect again.
                    .set_number_of_retries(0)
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(ANSWER_TIMEOUT));
                Connection::Single(ConnectionManager::new_lazy_with_config(Client::clone(client), config)?)
            }
            Self::Cluster { client, .. } => {
                let config =
                    ClusterConfig::new().set_connection_timeout(CONNECT_TIMEOUT).set_response_timeout(ANSWER_TIMEOUT);
                Connection::Cluster(client.get_pending_async_connection_with_config(config))
            }
        })
    }
}

impl Connection {
    /// Runs a command, and repeats it on a new connection if this one turns out to be closed: servers and middleboxes
    /// close idle connections, which tells nothing about the server. A server that cannot be reached is an error at
    /// once.
    async fn run_with_retry(&mut self, command: &Cmd, deadline: Instant) -> RedisResult<Value> {
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
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("cluster", &self.is_cluster()).finish_non_exhaustive()
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
        return StoreError::Io(match error.kind() {
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
        StoreError::Io(what)
    } else {
        StoreError::Rejected(what)
    }
}
