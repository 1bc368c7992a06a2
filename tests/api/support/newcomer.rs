//! Somebody new who types what the README says.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::gateway::Log;
use super::repository;

const GATEWAY: &str = env!("CARGO_BIN_EXE_voxgate");

/// A folder that looks like the repository to who types the README's commands, with a `make` that runs this build.
pub(crate) struct Newcomer {
    folder: TempDir,
    data: TempDir,
}

impl Newcomer {
    pub(crate) fn new() -> Self {
        let newcomer = Self { folder: TempDir::new().unwrap(), data: TempDir::new().unwrap() };
        symlink(repository::path("tests"), newcomer.path("tests")).unwrap();
        symlink(repository::path("tests/sdk/node/node_modules"), newcomer.path("node_modules")).unwrap();
        std::fs::create_dir(newcomer.path("bin")).unwrap();
        newcomer.tool("make", &format!("[ \"$*\" = run ] && exec '{GATEWAY}' serve"));
        // What a build puts there.
        std::fs::create_dir_all(newcomer.path("target/release")).unwrap();
        symlink(GATEWAY, newcomer.path("target/release/voxgate")).unwrap();
        newcomer.tool("voxgate", &format!("exec '{GATEWAY}' \"$@\""));
        // As written, but an answer that is an error is a failure.
        newcomer.tool("curl", "PATH=${PATH#*:} exec curl --fail-with-body -sS --max-time 30 \"$@\"");
        newcomer
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn tool(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command of theirs, which knows nothing but `variables`.
    pub(crate) fn command(&self, program: &Path, variables: &[(&str, &str)]) -> Command {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().env("PATH", path).env("NO_PROXY", "127.0.0.1");
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("VOXGATE_DATA_DIR", self.data.path());
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, and gives what it said.
    pub(crate) async fn said(&self, mut command: Command) -> String {
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        said.into_owned()
    }

    /// Pastes `text` into a shell.
    pub(crate) async fn pastes(&self, text: &str, variables: &[(&str, &str)]) -> String {
        let mut shell = self.command(Path::new("bash"), variables);
        shell.args(["-euo", "pipefail", "-c", text]);
        self.said(shell).await
    }

    /// Pastes `text` that ends in a gateway that runs, and gives what that one says when it listens.
    pub(crate) async fn starts(&self, text: &str, variables: &[(&str, &str)]) -> (serde_json::Value, String) {
        let mut shell = self.command(Path::new("bash"), variables);
        shell.env("VOXGATE_BIND", "127.0.0.1:0").env("VOXGATE_OPS_BIND", "127.0.0.1:0");
        // The shell becomes the gateway, so that to end the one is to end the other.
        let (before, _) = text.trim_end().rsplit_once("make run").expect("the block ends in a gateway that runs");
        let text = format!("{before}exec make run");
        shell.args(["-euo", "pipefail", "-c", &text]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let (log, stdout) = (Log::of(child.stderr.take().unwrap()), Log::of(child.stdout.take().unwrap()));
        let listening = log.event("listening").await;
        stdout.find("where it listens", |line| line.contains("Voxgate listens on").then_some(())).await;
        child.kill().unwrap();
        child.wait().unwrap();
        stdout.finish();
        let said = stdout.text();
        (listening, said)
    }
}
