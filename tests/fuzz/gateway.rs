//! A gateway that answers by itself, as it does without a provider's key, and refuses nobody for asking too often.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const SETTINGS: &str = r#"
[server]
bind = "127.0.0.1:0"
ops_bind = "127.0.0.1:0"
[plans.default]
requests_per_minute = 1000000
audio_seconds_per_minute = 1000000
"#;

pub(crate) struct Gateway {
    child: Child,
    address: String,
    token: String,
    folder: TempDir,
}

impl Gateway {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join("voxgate.toml"), SETTINGS).unwrap();
        let log = File::create(log_in(folder.path())).unwrap();
        let mut child = command(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let address = listening(&mut lines);
        // What it says must go somewhere, or it would stand still.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut { log }));
        let made = command(folder.path()).args(["token", "--sub", "somebody"]).output().unwrap();
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Self { child, address, token, folder }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The processor time that all of the process's threads have taken, in steps of 10 ms.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name of the command may hold blanks; the times are the 14th and 15th of all fields, in hundredths of seconds.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        Duration::from_millis(10) * fields.map(|field| field.parse::<u32>().unwrap()).sum()
    }

    /// The memory that it has.
    pub(crate) fn memory_kib(&self) -> u64 {
        let memory = self.memory();
        memory.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The same, in the system's words.
    pub(crate) fn memory(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned()
    }

    /// Ends it; what it has logged.
    pub(crate) fn end(mut self) -> String {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::read_to_string(log_in(self.folder.path())).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxgate"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command.env("VOXGATE_JWT_SECRET", "a secret of no worth, 32 bytes long").env("RUST_LOG", "warn,voxgate::cli=info");
    command.args(["--config", "voxgate.toml"]);
    command
}

/// Where it listens, by what it logs first.
fn listening(lines: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it does not start");
        if let Some((_, rest)) = line.split_once(r#""message":"listening","address":""#) {
            return rest.split('"').next().unwrap().to_owned();
        }
    }
}
