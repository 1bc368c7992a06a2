//! The commands. Each reads the settings, does one thing, and reports an error on one line.

mod banner;
mod check;
mod completions;
mod generated_secret;
mod health;
mod init;
mod man;
mod output;
mod reach;
mod revoke;
mod serve;
mod show;
mod token;
mod transcribe;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::output::Failure;
use crate::config::Settings;

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
  VOXGATE_JWT_SECRET, VOXGATE_JWT_SECRET_FILE  the secret that signs tokens, 32 bytes or more
  VOXGATE_BIND                                 the address for clients [127.0.0.1:8080]
  VOXGATE_OPS_BIND                             the address for probes and Prometheus [127.0.0.1:9464]
  REDIS_URL                                    the Redis in which several gateways share limits and usage
  VOXGATE_DATA_DIR                             the folder in which one gateway keeps them [voxgate-data]
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY            the proxy for requests to providers
  RUST_LOG                                     the level of the log [info]
  OTEL_EXPORTER_OTLP_ENDPOINT                  the collector for traces [none: no traces]
  VOXGATE_<SECTION>__<KEY>                     any other key of voxgate.example.toml; a list as a,b or [\"a\", \"b\"]

A first try needs none of them: run `voxgate`, and send what it prints.";

/// The location of the settings.
#[derive(Debug, Args)]
struct Source {
    /// The TOML file with the settings; also `VOXGATE_CONFIG`
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve requests; the default command.
    Serve,
    /// Write a settings file with the usual keys explained, and a secret that signs tokens.
    Init(init::Init),
    /// Transcribe recordings, with the provider's key alone or by a gateway elsewhere.
    Transcribe(transcribe::Arguments),
    /// Check the settings, and that the providers, the issuer and the store are reachable.
    Check,
    /// Make a token for a caller, or explain one.
    Token(token::Token),
    /// Revoke tokens before they expire.
    Revoke(revoke::Revoke),
    /// Show callers' usage in a month: requests, audio and money.
    Usage(usage::Usage),
    /// Ask a running gateway if it is ready, for a container's health check.
    Health(health::Health),
    /// Print the script by which a shell completes the command line.
    Completions(completions::Completions),
    /// Print the manual page, or write the pages of all commands.
    Man(man::ManPages),
}

impl Cli {
    /// Runs the command and returns its exit code.
    pub fn run(self) -> ExitCode {
        let file = self.source.config;
        let settings = || Settings::load(file.as_deref());
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => on_runtime(serve::run(settings(), file.clone())),
            Command::Transcribe(arguments) => run_transcribe(&arguments, file.as_deref()),
            // It writes the settings, and needs none.
            Command::Init(init) => report(init.run(file)),
            Command::Check => on_runtime(check::run(settings())),
            Command::Token(token) => on_runtime(token.run(settings())),
            Command::Revoke(revoke) => on_runtime(revoke.run(settings())),
            Command::Usage(usage) => on_runtime(usage.run(settings())),
            Command::Health(health) => on_runtime(health.run(settings())),
            // Packages are built where there are no settings.
            Command::Completions(completions) => report(completions.run(Self::command())),
            Command::Man(man) => report(man.run(Self::command())),
        }
    }
}

fn on_runtime(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    // The listeners' threads have runtimes of their own; this one waits for signals.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    report(runtime.map_err(Failure::other).and_then(|runtime| runtime.block_on(command)))
}

/// Transcribes recordings. Its exit status says more than success or failure.
fn run_transcribe(arguments: &transcribe::Arguments, file: Option<&Path>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(transcribe::run(arguments, file))),
        Err(error) => {
            report(Err(Failure::other(error)));
            ExitCode::from(transcribe::NOTHING_TRIED)
        }
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
