//! The `voxgate` command.

use std::process::ExitCode;

use clap::Parser;
use voxgate::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
