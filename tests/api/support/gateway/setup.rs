//! How a gateway is started.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::Termios;
use tempfile::TempDir;

use super::{Gateway, Heard, Log};
use crate::support::authority::Authority;
use crate::support::provider::{KEY, Provider};
use crate::support::token;

const GATEWAY: &str = env!("CARGO_BIN_EXE_voxgate");

/// The settings of a gateway that is not started yet.
#[derive(Clone)]
pub(crate) struct Setup {
    variables: BTreeMap<String, String>,
    config: String,
    provider: Arc<Provider>,
    data: Arc<TempDir>,
    open_files: Option<u32>,
    authority: Option<Arc<Authority>>,
    arguments: Vec<String>,
    terminal: bool,
}

/// The settings file in a folder.
pub(super) fn file_in(folder: &Path) -> PathBuf {
    folder.join("voxgate.toml")
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::with_provider(Arc::new(Provider::start()))
    }

    /// A gateway before a provider that others may have too.
    pub(crate) fn with_provider(provider: Arc<Provider>) -> Self {
        let data = Arc::new(TempDir::new().unwrap());
        let variables = [
            ("VOXGATE_BIND", "127.0.0.1:0"),
            ("VOXGATE_OPS_BIND", "127.0.0.1:0"),
            ("VOXGATE_LOG__FORMAT", "json"),
            // Far below the default, so that most tests go through a file.
            ("VOXGATE_INTAKE__SPOOL_MEMORY_BYTES", "4096"),
            // A machine that is busy with many tests is slow, which is not what they are about.
            ("VOXGATE_REDIS__TIMEOUT", "3s"),
            // For people, not for tests.
            ("VOXGATE_SANDBOX__EVENT_DELAY", "1ms"),
            ("RUST_LOG", "info"),
            ("VOXGATE_DATA_DIR", data.path().to_str().unwrap()),
            ("OPENAI_API_KEY", KEY),
            ("OPENAI_BASE_URL", &provider.base_url()),
            ("VOXGATE_JWT_SECRET", token::SECRET),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self {
            variables,
            config: String::new(),
            provider,
            data,
            open_files: None,
            authority: None,
            arguments: Vec::new(),
            terminal: false,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// One try for each request, and no conclusions from those that fail: for tests of what one failure looks like. A key
    /// that a provider has refused or is over its limit with is left alone all the same.
    pub(crate) fn single_attempt(self) -> Self {
        let once = [("MAX_ATTEMPTS", "1"), ("BREAKER_FAILURES", "0"), ("BACKOFF", "1ms"), ("MAX_BACKOFF", "1ms")];
        once.iter().fold(self, |setup, (key, value)| setup.env(&format!("VOXGATE_UPSTREAM__{key}"), value))
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// A settings file with this text.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.config);
        self
    }

    /// The same with this text after it.
    pub(crate) fn more(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// With another provider, of this name, and its key.
    pub(crate) fn provider(self, name: &str, provider: &Provider, key: &str) -> Self {
        self.more(&format!("[providers.{name}]\nbase_url = \"{}\"\napi_key = \"{key}\"", provider.base_url()))
    }

    /// With these arguments after `serve`.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// With a terminal for its standard output, as a person has it.
    pub(crate) fn on_a_terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// One that speaks TLS, with a certificate of this authority.
    pub(crate) fn tls(mut self, authority: &Arc<Authority>) -> Self {
        self.authority = Some(Arc::clone(authority));
        let path = |file: PathBuf| file.to_str().unwrap().to_owned();
        self.env("VOXGATE_SERVER__TLS_CERT", &path(authority.certificate_file()))
            .env("VOXGATE_SERVER__TLS_KEY", &path(authority.key_file()))
    }

    /// With no more than so many files open at once.
    pub(crate) fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// With room for so many requests in flight, and for so many that wait.
    pub(crate) fn concurrency(self, in_flight: usize, queue: usize) -> Self {
        self.env("VOXGATE_SERVER__MAX_IN_FLIGHT", &in_flight.to_string())
            .env("VOXGATE_SERVER__MAX_QUEUE", &queue.to_string())
            .env("VOXGATE_SERVER__WORKERS", "1")
    }

    /// With waits between tries that nobody notices.
    pub(crate) fn short_backoff(self) -> Self {
        self.env("VOXGATE_UPSTREAM__BACKOFF", "1ms").env("VOXGATE_UPSTREAM__MAX_BACKOFF", "4ms")
    }

    /// The variables, for commands that shall see what the gateway sees.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The folder of the embedded store, and of settlements that wait.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// A client that trusts the gateway.
    pub(crate) fn client(&self) -> reqwest::ClientBuilder {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1));
        // Not the system's, which take long to read.
        client.tls_certs_only(self.authority.iter().map(|authority| authority.root()))
    }

    /// Starts the gateway and waits until it listens.
    pub(crate) async fn start(self) -> Gateway {
        let spool = TempDir::new().unwrap();
        let folder = TempDir::new().unwrap();
        let config = file_in(folder.path());
        std::fs::write(&config, &self.config).unwrap();
        let mut command = if let Some(most) = self.open_files {
            let mut shell = clean(Command::new("sh"), &self.variables);
            shell.args(["-c", "ulimit -n $1; exec $2 serve", "sh", &most.to_string(), GATEWAY]);
            shell
        } else {
            let mut command = command(&self.variables);
            command.arg("serve").args(&self.arguments);
            command
        };
        command.env("VOXGATE_CONFIG", &config).env("VOXGATE_INTAKE__SPOOL_DIR", spool.path());
        let terminal = self.terminal.then(|| openpty(None::<&Winsize>, None::<&Termios>).unwrap());
        let terminal = terminal.map(|OpenptyResult { master, slave }| {
            command.stdout(slave);
            File::from(master)
        });
        let mut child = command.spawn().unwrap();
        // Its end of the terminal is here too, until this goes.
        drop(command);
        let log = Log::of(child.stderr.take().unwrap());
        let stdout = terminal.map_or_else(|| Log::of(child.stdout.take().unwrap()), Log::of);
        let listening = log.event("listening").await;
        let address = |field: &str| listening[field].as_str().unwrap().parse().unwrap();
        Gateway {
            address: address("address"),
            ops_address: address("ops_address"),
            log,
            provider: Arc::clone(&self.provider),
            client: self.client().build().unwrap(),
            scheme: if self.authority.is_some() { "https" } else { "http" },
            child,
            stdout,
            heard: Heard::default(),
            spool,
            folder,
            setup: self,
        }
    }
}

/// The program with these variables alone, still without arguments.
pub(crate) fn command(variables: &BTreeMap<String, String>) -> Command {
    clean(Command::new(GATEWAY), variables)
}

fn clean(mut command: Command, variables: &BTreeMap<String, String>) -> Command {
    // Nothing of the machine's own settings may reach the gateway.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(variables);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command of the gateway that ends by itself, in `folder`.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> Output {
    run_into(Stdio::piped(), arguments, variables, folder)
}

/// The same with its output going elsewhere.
pub(crate) fn run_into(
    stdout: impl Into<Stdio>,
    arguments: &[&str],
    variables: &[(&str, &str)],
    folder: &Path,
) -> Output {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    command(&variables).args(arguments).current_dir(folder).stdout(stdout).output().unwrap()
}
