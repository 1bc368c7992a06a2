//! A person with recordings in a folder, and `voxgate transcribe` in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Output, Stdio};

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::Termios;
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use super::gateway::{Gateway, Log, command};
use super::poll::{TIMEOUT, until};
use super::provider::{KEY, Provider};
use super::token;

/// The folder, and the variables that the command sees.
pub(crate) struct Recordings {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Log,
    pub(crate) stderr: Screen,
}

/// What a process writes, as it comes, lines or not.
pub(crate) struct Screen(watch::Receiver<String>);

impl Recordings {
    /// With a provider's key, and no gateway.
    pub(crate) fn with_key(provider: &Provider) -> Self {
        Self::new().env("OPENAI_API_KEY", KEY).env("OPENAI_BASE_URL", &provider.base_url())
    }

    /// With a gateway, and a token for it.
    pub(crate) fn with_gateway(gateway: &Gateway) -> Self {
        Self::new().env("VOXGATE_URL", &gateway.url("")).env("VOXGATE_TOKEN", &token::good())
    }

    /// With neither.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let state = folder.path().join("state").to_str().unwrap().to_owned();
        Self { folder, variables: BTreeMap::new() }.env("XDG_STATE_HOME", &state).env("TERM", "xterm")
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes a file, and the folders that it is in.
    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names in a folder, in order.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn transcribe(&self, arguments: &[&str]) -> Ran {
        self.transcribe_input(arguments, b"")
    }

    /// The same with this on standard input.
    pub(crate) fn transcribe_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that needs no input may have ended.
        let _ = stdin.write_all(input);
        drop(stdin);
        Ran::of(child.wait_with_output().unwrap())
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).spawn().unwrap();
        let stderr = Screen::of(child.stderr.take().unwrap());
        let stdout = Log::of(child.stdout.take().unwrap());
        Running { child, stdout, stderr }
    }

    /// The same, and nobody reads its standard output.
    pub(crate) fn start_unread(&self, arguments: &[&str]) -> (Running, ChildStdout) {
        let mut child = self.command(arguments).spawn().unwrap();
        let stderr = Screen::of(child.stderr.take().unwrap());
        let unread = child.stdout.take().unwrap();
        (Running { child, stdout: Log::of(std::io::empty()), stderr }, unread)
    }

    /// The same with a terminal for its standard error.
    pub(crate) fn start_on_a_terminal(&self, arguments: &[&str]) -> Running {
        let OpenptyResult { master, slave } = openpty(None::<&Winsize>, None::<&Termios>).unwrap();
        let mut child = self.command(arguments).stderr(slave).spawn().unwrap();
        let stdout = Log::of(child.stdout.take().unwrap());
        Running { child, stdout, stderr: Screen::of(File::from(master)) }
    }

    /// The same as it is written, for tests that write its standard input while it runs.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = command(&self.variables);
        command.arg("transcribe").args(arguments).current_dir(self.folder.path());
        command
    }
}

impl Ran {
    fn of(Output { status, stdout, stderr }: Output) -> Self {
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(!stderr.contains("eyJ") && !stderr.contains(KEY), "a secret is in {stderr}");
        assert!(!stderr.contains("panic"), "{stderr}");
        Self { code: status.code(), stdout, stderr }
    }

    /// Asserts that every recording was transcribed.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that nothing was tried, for a reason with these words, which is told on one line.
    pub(crate) fn was_refused(&self, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word} is not in {}", self.stderr);
        }
    }
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end, and returns the exit status.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let status = until("the command ends", async || child.try_wait().unwrap().ok_or("it runs")).await;
        self.stdout.finish();
        status.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    pub(crate) fn of(mut output: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = watch::channel(String::new());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                sender.send_modify(|text: &mut String| text.push_str(&String::from_utf8_lossy(&buffer[..read])));
            }
        });
        Self(receiver)
    }

    pub(crate) fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Waits until `words` were written.
    pub(crate) async fn shows(&self, words: &str) {
        let mut text = self.0.clone();
        let shown = timeout(TIMEOUT, text.wait_for(|text| text.contains(words))).await;
        assert!(matches!(shown, Ok(Ok(_))), "{words} is not in {:?}", self.text());
    }
}
