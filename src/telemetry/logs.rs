//! Where log lines go and how they look.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

/// A panic is a line of the log like any other. Its message is left out: it may quote what was being worked on.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref(), "a panic: this is a bug in the gateway");
    }));
}

/// Why there can be no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// What is to be logged cannot be understood.
    #[error("RUST_LOG: {0}; takes words such as \"info\" or \"voxgate=debug,warn\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else logs already.
    #[error(transparent)]
    Start(#[from] TryInitError),
}

/// What `RUST_LOG` chooses. Set to nothing it counts as not set, as every variable does.
fn filter() -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    // The store says by itself, and once, when Redis is away.
    let default = "info,actix_http=off,actix_server=warn,redis=off";
    EnvFilter::try_new(if chosen.trim().is_empty() { default } else { &chosen })
}

/// Sends log lines to standard error, so that standard output is free for what a person asked for. `RUST_LOG` chooses
/// what is logged.
pub fn start(format: LogFormat) -> Result<(), LogError> {
    log_panics();
    let registry = tracing_subscriber::registry().with(filter()?);
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
