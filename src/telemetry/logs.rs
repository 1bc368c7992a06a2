//! Destination and format of log lines.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

/// Logs panics like any other event. Leaves out the message, which may quote the data being processed.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref(), "a panic: this is a bug in the gateway");
    }));
}

/// The reasons why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `RUST_LOG` cannot be parsed.
    #[error("RUST_LOG: {0}; takes words such as \"info\" or \"voxgate=debug,warn\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another logger is already installed.
    #[error(transparent)]
    Start(#[from] TryInitError),
}

/// The events of a gateway that runs by itself. The store logs once when Redis is unavailable, so the client's own messages
/// are off.
const OF_A_SERVICE: &str = "info,actix_http=off,actix_server=warn,redis=off";
/// The events for a person at a terminal, who sees the outcome apart from them.
const OF_A_COMMAND: &str = "warn,actix_http=off,actix_server=off";

/// Reads the filter in `RUST_LOG`. An empty value counts as unset, as for every variable.
fn filter(default: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    EnvFilter::try_new(if chosen.trim().is_empty() { default } else { &chosen })
}

/// Starts logging to standard error; standard output stays free for the output that a user asked for. `RUST_LOG`
/// chooses the events.
pub fn start(format: LogFormat) -> Result<(), LogError> {
    start_with(format, OF_A_SERVICE)
}

/// Starts logging as [`start`] does, for a command: unless `RUST_LOG` says otherwise, warnings and errors alone, as text.
pub fn start_warnings() -> Result<(), LogError> {
    start_with(LogFormat::Pretty, OF_A_COMMAND)
}

fn start_with(format: LogFormat, default: &str) -> Result<(), LogError> {
    log_panics();
    let registry = tracing_subscriber::registry().with(filter(default)?);
    let terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !terminal,
    };
    if json {
        let lines = layer().json().flatten_event(true).with_span_list(false).with_writer(io::stderr);
        registry.with(lines).try_init()?;
    } else {
        registry.with(layer().with_target(false).with_ansi(terminal).with_writer(io::stderr)).try_init()?;
    }
    Ok(())
}
