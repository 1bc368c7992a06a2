//! Real Redis servers for tests: one by itself ([`Server`]), and a cluster in which masters fail ([`Cluster`]).
//!
//! It needs `redis-server` 7 or later in the path, uses free ports of the loopback only, and ends what it started when
//! that is dropped, so nothing of it belongs in a `static`. All of it blocks. A crate that includes it with `#[path]`
//! may not use all of it: `#[allow(dead_code, reason = "..")]` belongs at that `mod`.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// What takes longer than this will not happen any more.
const LIMIT: Duration = Duration::from_secs(20);

/// One redis-server that runs until it is dropped.
pub(crate) struct Server {
    /// `None` once it is killed: its process id may be that of another process by then.
    process: Option<Child>,
    /// The port while no server has it. It refuses connections, and nobody else is given it.
    held_port: Option<TcpSocket>,
    port: u16,
    /// Where nodes of a cluster talk to each other. By itself a server does not listen there.
    bus_port: u16,
    directory: TempDir,
    arguments: Vec<String>,
}

impl Server {
    /// A server that keeps nothing on disk. Returns when it answers.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with these arguments too. They come last, so they win over those that every server has.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        wait_for("a free port for redis-server", || {
            let (port, bus_port) = free_ports();
            let directory = TempDir::with_prefix("redis-").unwrap();
            let mut server =
                Self { process: None, held_port: None, port, bus_port, directory, arguments: arguments.clone() };
            server.launch().map(|()| server)
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.path("socket"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The answer to a command, on a connection of its own.
    pub(crate) fn run(&self, command: &[&str]) -> Value {
        self.try_run(command).unwrap_or_else(|error| panic!("{} at {}: {error}", command.join(" "), self.url()))
    }

    pub(crate) fn try_run(&self, command: &[&str]) -> RedisResult<Value> {
        // A command to a paused server would wait for ever.
        let limit = Duration::from_secs(5);
        // The port may be another server's by now. The socket is not.
        let mut connection = redis::Client::open(self.unix_url())?.get_connection_with_timeout(limit)?;
        connection.set_read_timeout(Some(limit))?;
        let (name, arguments) = command.split_first().expect("a command has a name");
        redis::cmd(name).arg(arguments).query(&mut connection)
    }

    /// From here on connections are accepted, and nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends it as a crash would. What it held is lost.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Errors mean that it has ended already.
            let _ = process.kill();
            let _ = process.wait();
            self.held_port = hold(self.port);
        }
    }

    /// Starts it where it was, with the same arguments. Ends it first if it still runs.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        // The port may have been given to another process in the moment in which nobody held it.
        wait_for("redis-server on its old port", || self.launch());
    }

    fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("redis-server is not running");
        // `kill` is a command of the shell wherever there is one.
        let command = format!("kill -{name} {}", process.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns when it answers; an error means that a port is taken.
    fn launch(&mut self) -> Result<(), String> {
        self.held_port = None;
        let log = File::create(self.path("log")).unwrap();
        let process = Command::new("redis-server")
            .current_dir(self.directory.path())
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--cluster-port", &self.bus_port.to_string()])
            .args(["--unixsocket", &self.path("socket")])
            .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("redis-server cannot be started: {error}")));
        wait_for("an answer of redis-server", || {
            if self.has_ended() {
                let log = fs::read_to_string(self.path("log")).unwrap();
                assert!(log.contains("Address already in use"), "redis-server does not start:\n{log}");
                return Ok(Err(log));
            }
            match self.try_run(&["PING"]) {
                Err(error) if error.is_io_error() || error.code() == Some("LOADING") => Err(error.to_string()),
                // Also if it wants a password first.
                _ => Ok(Ok(())),
            }
        })
    }

    fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first and the last slot of each master.
const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

/// A Redis Cluster: three masters with the slots divided among them, and a replica for each.
pub(crate) struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    /// Returns when every node knows every other, and every replica is in step with its master.
    pub(crate) fn start() -> Self {
        let arguments = [
            ["--cluster-enabled", "yes"],
            // A master that is silent for this long is taken for dead.
            ["--cluster-node-timeout", "1000"],
            // A master would wait five seconds for more replicas before it sends its data.
            ["--repl-diskless-sync-delay", "0"],
        ];
        let nodes = (0..2 * SLOTS.len()).map(|_| Server::with(arguments.as_flattened())).collect();
        let cluster = Self { nodes };
        cluster.form();
        cluster.wait_until_settled("a cluster that is whole", || Ok(()));
        cluster
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> =
            self.nodes.iter().take(SLOTS.len()).map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// Those that are masters now.
    pub(crate) fn masters(&self) -> Vec<&Server> {
        self.living().filter(|node| own_line(node).unwrap().is_master()).collect()
    }

    /// The answer to a command of the master of `key`.
    pub(crate) fn run(&self, key: &str, command: &[&str]) -> Value {
        self.nodes[self.master_of(self.slot(key))].run(command)
    }

    /// Kills the master of `key`; returns when its replica has taken over and every node left knows.
    pub(crate) fn fail_over(&mut self, key: &str) {
        let slot = self.slot(key);
        let master = self.master_of(slot);
        let replica = self.replica_of(master);
        self.nodes[master].kill();
        self.wait_until_settled("a replica that takes over", || has_slot(&self.nodes[replica], slot));
    }

    /// Has the master of `key` and its replica change places; returns when they have and every node knows.
    pub(crate) fn hand_over(&mut self, key: &str) {
        let slot = self.slot(key);
        let replica = &self.nodes[self.replica_of(self.master_of(slot))];
        let mut asked: Option<Instant> = None;
        self.wait_until_settled("a replica that changes places with its master", || {
            // A replica that gets no votes gives up after five seconds. Masters vote about the same master only once in
            // two node timeouts, so that happens to the third of three in a row.
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(6)) {
                text(replica, &["CLUSTER", "FAILOVER"])?;
                asked = Some(Instant::now());
            }
            has_slot(replica, slot)
        });
    }

    fn form(&self) {
        let (masters, replicas) = self.nodes.split_at(SLOTS.len());
        for (epoch, (master, (first, last))) in (1..).zip(masters.iter().zip(SLOTS)) {
            // Masters with the same epoch would have to settle whose is the higher one first.
            master.run(&["CLUSTER", "SET-CONFIG-EPOCH", &i32::to_string(&epoch)]);
            master.run(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        // Every pair, since it takes nodes a while to hear of each other from a third.
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[index + 1..] {
                let (port, bus_port) = (other.port.to_string(), other.bus_port.to_string());
                node.run(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus_port]);
            }
        }
        for (replica, master) in replicas.iter().zip(masters) {
            let id = text(master, &["CLUSTER", "MYID"]).unwrap();
            wait_for("a replica that knows its master", || text(replica, &["CLUSTER", "REPLICATE", &id]));
        }
    }

    fn living(&self) -> impl Iterator<Item = &Server> {
        self.nodes.iter().filter(|node| node.process.is_some())
    }

    fn slot(&self, key: &str) -> u16 {
        let node = self.living().next().expect("a node lives");
        redis::from_redis_value(node.run(&["CLUSTER", "KEYSLOT", key])).unwrap()
    }

    fn master_of(&self, slot: u16) -> usize {
        self.position(|line| line.has(slot)).unwrap_or_else(|| panic!("slot {slot} has no master"))
    }

    fn replica_of(&self, master: usize) -> usize {
        let id = text(&self.nodes[master], &["CLUSTER", "MYID"]).unwrap();
        self.position(|line| line.master == id).unwrap_or_else(|| panic!("the master has no replica left"))
    }

    fn position(&self, says: impl Fn(&Line) -> bool) -> Option<usize> {
        self.nodes.iter().position(|node| node.process.is_some() && says(&own_line(node).unwrap()))
    }

    /// Waits until `holds`, and all nodes that live are well and say the same.
    fn wait_until_settled(&self, what: &str, mut holds: impl FnMut() -> Result<(), String>) {
        wait_for(what, || {
            holds()?;
            let mut views = Vec::new();
            for node in self.living() {
                is_well(node)?;
                views.push(self.view(node)?);
            }
            if views.windows(2).all(|pair| pair[0] == pair[1]) { Ok(()) } else { Err(format!("{views:#?}")) }
        });
    }

    /// Who is what among those that live, as `node` sees it.
    fn view(&self, node: &Server) -> Result<Vec<Line>, String> {
        let mut lines = lines(node)?;
        if lines.len() != self.nodes.len() {
            return Err(format!("{} knows of {lines:#?}", node.url()));
        }
        lines.retain(|line| self.living().any(|node| node.port == line.port));
        match lines.iter().find(|line| !line.is_reached()) {
            Some(line) => Err(format!("{} sees {line:?}", node.url())),
            None => Ok(lines),
        }
    }
}

/// A node as one of them sees it: a line of `CLUSTER NODES`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    port: u16,
    /// Without `myself`, which differs by who says it.
    flags: String,
    /// The id of the master of a replica, else `-`.
    master: String,
    link: String,
    slots: Vec<String>,
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ').skip(1).map(str::to_owned);
        let port = words.next()?.split_once(':')?.1.split_once('@')?.0.parse().ok()?;
        let flags = words.next()?.replace("myself,", "");
        Some(Self { port, flags, master: words.next()?, link: words.nth(3)?, slots: words.collect() })
    }

    fn is_master(&self) -> bool {
        self.flags == "master"
    }

    fn is_reached(&self) -> bool {
        self.link == "connected" && ["master", "slave"].contains(&self.flags.as_str())
    }

    fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            matches!((first.parse(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
        })
    }
}

/// In the order of their ports.
fn lines(node: &Server) -> Result<Vec<Line>, String> {
    let nodes = text(node, &["CLUSTER", "NODES"])?;
    let mut lines: Vec<_> = nodes.lines().filter_map(Line::read).collect();
    lines.sort();
    Ok(lines)
}

fn own_line(node: &Server) -> Result<Line, String> {
    lines(node)?.into_iter().find(|line| line.port == node.port).ok_or_else(|| format!("{} is nobody", node.url()))
}

fn has_slot(node: &Server, slot: u16) -> Result<(), String> {
    let line = own_line(node)?;
    if line.is_master() && line.has(slot) { Ok(()) } else { Err(format!("slot {slot} is not with {line:?}")) }
}

fn is_well(node: &Server) -> Result<(), String> {
    let (cluster, replication) = (text(node, &["CLUSTER", "INFO"])?, text(node, &["INFO", "REPLICATION"])?);
    let in_step = replication.contains("role:master") || replication.contains("master_link_status:up");
    if in_step && cluster.contains("cluster_state:ok") {
        Ok(())
    } else {
        Err(format!("{} says {cluster}{replication}", node.url()))
    }
}

fn text(node: &Server, command: &[&str]) -> Result<String, String> {
    let answer = node.try_run(command).map_err(|error| format!("{} at {}: {error}", command.join(" "), node.url()))?;
    redis::from_redis_value(answer).map_err(|error| error.to_string())
}

/// Binds a port without listening on it; nothing if it has been given to another process.
fn hold(port: u16) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, port).into()).ok().map(|()| socket)
}

/// Two that differ. Others may take them before redis-server does.
fn free_ports() -> (u16, u16) {
    let [one, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    (one.local_addr().unwrap().port(), other.local_addr().unwrap().port())
}

fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < deadline, "waited {LIMIT:?} for {what}: {error}"),
        }
        // Another process has no way to notify this one.
        thread::sleep(Duration::from_millis(10));
    }
}
