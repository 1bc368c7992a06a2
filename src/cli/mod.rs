//! The commands. Each reads the settings, does its one thing, and says on one line what went wrong.

mod banner;
mod check;
mod health;
mod revoke;
mod serve;
mod token;
mod usage;

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Problems, Settings};

/// Speech-to-text for your product, with the provider's key kept on the server.
///
/// Clients send audio with a token of yours; Voxgate checks the token, measures the audio, forwards it with the server's
/// own key and returns the transcript as JSON, text, subtitles or a stream.
#[derive(Debug, Parser)]
#[command(name = "voxgate", version, max_term_width = 100, after_help = SETTINGS)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    source: Source,
}

const SETTINGS: &str = "\
Settings come from the file and from the environment, which wins:
  OPENAI_API_KEY, OPENAI_API_KEY_FILE          the provider's key; without one a sandbox answers
  OPENAI_BASE_URL                              the provider's address, up to /v1
  VOXGATE_JWT_SECRET, VOXGATE_JWT_SECRET_FILE  what tokens are signed with
  VOXGATE_BIND, VOXGATE_OPS_BIND               where to listen [127.0.0.1:8080, 127.0.0.1:9090]
  REDIS_URL                                    where gateways share limits, budgets and usage
  VOXGATE_DATA_DIR                             where one alone keeps them [voxgate-data]
  RUST_LOG                                     what is logged [info]
  OTEL_EXPORTER_OTLP_ENDPOINT                  the collector that takes traces; without one there are none
  VOXGATE_<SECTION>__<KEY>                     any other key of voxgate.example.toml";

/// Where the settings are.
#[derive(Debug, Args)]
struct Source {
    /// The TOML file with the settings; also `VOXGATE_CONFIG`
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve requests; what `voxgate` alone does too.
    Serve,
    /// Say what is wrong with the settings, and try the provider and where limits are kept.
    Check,
    /// Print a token for a caller.
    Token(token::Token),
    /// Have tokens hold no longer, although they have not expired.
    Revoke(revoke::Revoke),
    /// Show what callers used in a month: requests, audio and money.
    Usage(usage::Usage),
    /// Ask a running gateway whether it is ready; for container health checks.
    Health(health::Health),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        let settings = Settings::load(self.source.config.as_deref());
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => on_runtime(serve::run(settings, self.source.config)),
            Command::Check => on_runtime(check::run(settings)),
            Command::Token(token) => report(token.run(settings)),
            Command::Revoke(revoke) => on_runtime(revoke.run(settings)),
            Command::Usage(usage) => on_runtime(usage.run(settings)),
            Command::Health(health) => on_runtime(health.run(settings)),
        }
    }
}

/// Why a command failed, for the person who typed it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    fn other(error: impl Display) -> Self {
        Self::Other(error.to_string())
    }
}

fn on_runtime(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    // The listeners' threads have runtimes of their own; this one waits for signals.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    report(runtime.map_err(Failure::other).and_then(|runtime| runtime.block_on(command)))
}

/// Writes to standard output. That its reader has seen enough, as `head` has, is no failure.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::Other(format!("the output cannot be written: {error}"))),
    }
}

#[allow(clippy::print_stderr)] // A command's error goes to the person at the terminal.
fn report(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("voxgate: {failure}");
            ExitCode::FAILURE
        }
    }
}
