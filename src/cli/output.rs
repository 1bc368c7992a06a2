//! The output of a command, and its failure.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::config::Problems;

/// The reason why a command failed, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Invalid settings.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// Any other error.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    pub(super) fn other(error: impl Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// Writes to standard output. A closed pipe, such as one to `head`, is not a failure.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::Other(format!("the output cannot be written: {error}"))),
    }
}

/// Prints a remark to standard error, apart from the command's output.
pub(super) fn print_remark(text: &str) {
    // A closed standard error does not affect the result.
    let _ = writeln!(io::stderr(), "voxgate: {text}");
}

/// Returns the command line that runs this program again, as a person would type it.
pub(super) fn own_command(settings_file: Option<&Path>) -> String {
    let quoted = |text: &str| {
        let plain = text.chars().all(|letter| letter.is_alphanumeric() || "/._-+@%:=".contains(letter));
        if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    let program = std::env::args_os().next().unwrap_or_else(|| "voxgate".into());
    let program = quoted(&program.to_string_lossy());
    match settings_file {
        Some(file) => format!("{program} --config {}", quoted(&file.to_string_lossy())),
        None => program,
    }
}
