//! The gateway as a process of its own: started on free ports, spoken to, listened to, ended.
//!
//! When a [`Gateway`] is dropped, everything that it said in its life is searched for what must never be said.

mod answer;
mod log;
mod setup;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output};
use std::sync::{Arc, Mutex};

use memchr::memmem;
use reqwest::{Method, RequestBuilder};
use tempfile::TempDir;

pub(crate) use answer::{Answer, Events};
pub(crate) use log::Log;
pub(crate) use setup::{Setup, command, run, run_into};

use crate::support::contract;
use crate::support::form::Form;
use crate::support::poll::until;
use crate::support::provider::{OF_EVERY_KEY, Provider, TRANSCRIPT};
use crate::support::token;
use crate::support::wire::Wire;

pub(crate) const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
pub(crate) const TRANSLATIONS: &str = "/v1/audio/translations";

/// A prompt is the caller's own words: it may be in no log.
pub(crate) const PROMPT: &str = "Glib jocks quiz nymph to vex dwarf";

/// All that clients of one gateway were told.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    pub(crate) fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

/// A gateway that runs until it is dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) ops_address: SocketAddr,
    pub(crate) log: Log,
    pub(crate) provider: Arc<Provider>,
    client: reqwest::Client,
    scheme: &'static str,
    child: Child,
    stdout: Log,
    heard: Heard,
    spool: TempDir,
    folder: TempDir,
    setup: Setup,
}

impl Gateway {
    /// A gateway with a provider behind it and nothing else set.
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    /// The same with these variables.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(Setup::new(), |setup, (name, value)| setup.env(name, value)).start().await
    }

    /// Puts other settings in the place of those in its file, all at once.
    pub(crate) fn configure(&self, toml: &str) {
        let (next, file) = (self.folder.path().join("next"), setup::file_in(self.folder.path()));
        std::fs::write(&next, toml).unwrap();
        std::fs::rename(&next, &file).unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// A request without a token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(token::good())
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).bearer_auth(token::good())
    }

    /// A request to the second listener.
    pub(crate) fn operational(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.ops_address))
    }

    /// Sends `form` to be transcribed.
    pub(crate) async fn transcribe(&self, form: Form) -> Answer {
        self.send(form.on(self.post(TRANSCRIPTIONS))).await
    }

    /// Sends a request, reads the whole answer, and holds it against the contract.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, url) = (request.method().clone(), request.url().clone());
        let answer = Answer::read(self.client.execute(request).await.unwrap(), &self.heard).await;
        if url.port() == Some(self.address.port()) {
            contract::assert_documented(&method, url.path(), &answer);
        }
        answer
    }

    /// Sends a request and reads the answer as it comes.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Events {
        Events::of(request.send().await.unwrap(), self.heard.clone())
    }

    /// A bare connection.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.address, self.heard.clone()).await
    }

    /// What was printed for a person to read.
    pub(crate) fn banner(&self) -> &Log {
        &self.stdout
    }

    /// The names in the folder for recordings.
    pub(crate) fn spooled(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.spool.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// How it was started.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Kills the process in the middle of whatever it does, and starts another in its place.
    pub(crate) async fn killed_and_started_again(mut self) -> Self {
        self.signal("KILL");
        self.ended().await;
        self.setup.clone().start().await
    }

    /// Runs a command with the settings of this gateway.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let output = run(arguments, &self.setup.variables(), self.setup.data());
        self.heard.add(&[output.stdout.as_slice(), &output.stderr].concat());
        output
    }

    /// Where each of the process's open files points to.
    pub(crate) fn open_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok()).collect()
    }

    /// How often each of the process's threads whose name begins so has gone to sleep.
    pub(crate) fn sleeps_of_threads(&self, name: &str) -> Vec<u64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let text = |task: &Path, file: &str| std::fs::read_to_string(task.join(file)).unwrap();
        let tasks = tasks.map(|task| task.unwrap().path()).filter(|task| text(task, "comm").starts_with(name));
        let count = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse().unwrap()
        };
        tasks.map(|task| count(text(&task, "status"))).collect()
    }

    /// Asks the process to end, as an operator would.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        // `kill` is a command of the shell wherever there is one.
        let command = format!("kill -{name} {}", self.child.id());
        assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// The memory that the process has, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the gateway ends", async || child.try_wait().unwrap().ok_or("it runs")).await
    }

    fn nothing_secret_was_said(&self) {
        let heard = self.heard.0.lock().unwrap();
        let (log, stdout) = (self.log.text(), self.stdout.text());
        let said = [("an answer", heard.as_slice()), ("the log", log.as_bytes()), ("stdout", stdout.as_bytes())];
        for (place, bytes) in said {
            for (what, secret) in [("a provider's key", OF_EVERY_KEY), ("the signing secret", token::SECRET)] {
                assert!(memmem::find(bytes, secret.as_bytes()).is_none(), "{what} is in {place}");
            }
        }
        // Every token starts with `{"` in base64, and every recording of these tests in base64 with `RIFF`.
        let never = [("a transcript", TRANSCRIPT), ("a prompt", PROMPT), ("a token", "eyJ"), ("audio", "UklGR")];
        for (what, text) in never {
            let line = log.lines().find(|line| line.contains(text));
            assert!(line.is_none(), "{what} is in the log: {}", line.unwrap_or_default());
        }
        assert!(!log.contains("panic"), "the gateway panicked");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log.finish();
        self.stdout.finish();
        if std::thread::panicking() {
            eprintln!("The gateway's log:\n{}", self.log.text());
            return;
        }
        self.nothing_secret_was_said();
        assert_eq!(self.provider.faults(), Vec::<String>::new(), "the provider was asked wrongly");
    }
}
