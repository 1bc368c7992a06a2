//! What is measured: the gateway as it is run, and nginx. Each is a process of its own that ends with its value here.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::redis_server::Server;
use super::uploads::SECRET;

/// What takes longer than this to start will not start any more.
const LIMIT: Duration = Duration::from_secs(20);

/// A build of the gateway.
#[derive(Clone)]
pub(crate) struct Build(PathBuf);

impl Build {
    /// The one of this source.
    pub(crate) fn this() -> Self {
        Self(env!("CARGO_BIN_EXE_voxgate").into())
    }

    /// The one to compare with: the program that the environment variable `BEFORE` names.
    pub(crate) fn before() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("BEFORE")?);
        assert!(program.is_file(), "BEFORE={} is no program", program.display());
        Some(Self(program))
    }
}

/// A gateway, with its store in Redis.
pub(crate) struct Gateway {
    child: Child,
    /// Ends with it.
    _redis: Server,
    folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    pub(crate) store: Process,
}

impl Gateway {
    /// A gateway that forwards to `provider`, with a Redis of its own. All that is not said here is the default.
    pub(crate) fn start(build: &Build, provider: SocketAddr) -> Self {
        let redis = Server::start();
        let info: String = redis::from_redis_value(redis.run(&["INFO", "SERVER"])).unwrap();
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().parse().unwrap();
        let folder = TempDir::with_prefix("voxgate-bench-").unwrap();
        let config = folder.path().join("voxgate.toml");
        fs::write(&config, include_str!("voxgate.toml")).unwrap();
        fs::create_dir(folder.path().join("spool")).unwrap();
        let log = folder.path().join("log");
        let child = Command::new(&build.0)
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("VOXGATE_CONFIG", &config)
            .env("VOXGATE_BIND", "127.0.0.1:0")
            .env("VOXGATE_OPS_BIND", "127.0.0.1:0")
            .env("VOXGATE_DATA_DIR", folder.path().join("data"))
            .env("VOXGATE_INTAKE__SPOOL_DIR", folder.path().join("spool"))
            .env("VOXGATE_JWT_SECRET", SECRET)
            .env("OPENAI_API_KEY", "a-key-for-this-benchmark-only")
            .env("OPENAI_BASE_URL", format!("http://{provider}/v1"))
            .env("REDIS_URL", redis.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let address = wait_for("the gateway to listen", || {
            let text = fs::read_to_string(&log).unwrap();
            let line: Value = serde_json::from_str(text.lines().find(|line| line.contains("\"listening\""))?).ok()?;
            line["address"].as_str().or(line["fields"]["address"].as_str())?.parse().ok()
        });
        let process = Process::alone(child.id());
        Self { child, _redis: redis, folder, address, process, store: Process::alone(pid) }
    }

    /// The folder of recordings that are too large for the memory.
    pub(crate) fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// What it has warned of, in its own words.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let warns = |line: &Value| line["level"] == "WARN" || line["level"] == "ERROR";
        lines.filter(warns).map(|line| format!("voxgate: {}", line["message"].as_str().unwrap_or_default())).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// nginx with two ports, of which one holds requests until all of them is there.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    pub(crate) buffered: SocketAddr,
    pub(crate) unbuffered: SocketAddr,
    pub(crate) process: Process,
}

impl Nginx {
    /// Starts it in a folder of its own; `None` where this machine has no nginx.
    pub(crate) fn start(provider: SocketAddr) -> Option<Self> {
        let program = find("nginx")?;
        let folder = TempDir::with_prefix("nginx-").unwrap();
        let [buffered, unbuffered] = free_addresses();
        let text = [("{buffered}", buffered), ("{unbuffered}", unbuffered), ("{provider}", provider)]
            .iter()
            .fold(include_str!("nginx.conf").to_owned(), |text, (name, at)| text.replace(name, &at.to_string()))
            .replace("{folder}", folder.path().to_str().unwrap());
        let config = folder.path().join("conf");
        fs::write(&config, text).unwrap();
        // Started by root, its workers belong to somebody who has to get at its folders.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut child = Command::new(&program)
            .args(["-p".as_ref(), folder.path().as_os_str(), "-c".as_ref(), config.as_os_str()])
            .args(["-e".as_ref(), folder.path().join("errors").as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let process = wait_for("nginx to listen", || {
            assert!(child.try_wait().unwrap().is_none(), "nginx does not start with {}", config.display());
            let listens = [buffered, unbuffered].iter().all(|address| TcpStream::connect(address).is_ok());
            let process = Process::with_children(child.id());
            (listens && process.count() == 3).then_some(process)
        });
        Some(Self { child, folder, buffered, unbuffered, process })
    }

    /// What it has complained of.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
        // That a request is held in a file is what it is here for.
        let others = text.lines().filter(|line| !line.contains("is buffered to a temporary file"));
        others.map(|line| format!("nginx: {line}")).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Who was measured, each by its own word.
pub(crate) fn versions() -> String {
    let commands = [(Build::this().0, "--version"), ("redis-server".into(), "--version")];
    let words =
        commands.into_iter().chain(find("nginx").map(|nginx| (nginx, "-v"))).map(|(program, flag): (PathBuf, _)| {
            let output = Command::new(program).arg(flag).output().unwrap();
            // nginx says it where errors go.
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
        });
    let before = Build::before().map(|Build(program)| format!("before: {}", program.display()));
    words.chain(before).collect::<Vec<_>>().join("\n")
}

/// Asks a process to end, which takes its children with it, and waits for that.
fn end(child: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let deadline = Instant::now() + LIMIT;
    // Errors mean that it has ended already.
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Where a program is. Debian keeps nginx where only root's path leads to.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    folders.map(|folder| folder.join(program)).find(|program| program.is_file())
}

/// Two that differ. Others may take them before nginx does.
fn free_addresses() -> [SocketAddr; 2] {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap())
}

fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for {what}");
        // Another process has no way to notify this one.
        thread::sleep(Duration::from_millis(10));
    }
}
