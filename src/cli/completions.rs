//! `voxgate completions`: the script by which a shell completes the command line.

use clap::{Args, Command, ValueEnum};

use super::output::{Failure, print};

const NOTES: &str = "\
Load the script in the shell that you use:
  bash  voxgate completions bash > ~/.local/share/bash-completion/completions/voxgate
  zsh   voxgate completions zsh > \"${fpath[1]}/_voxgate\"
  fish  voxgate completions fish > ~/.config/fish/completions/voxgate.fish";

/// Arguments of `voxgate completions`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Completions {
    /// The shell that reads the script
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells that the packages bring a script for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// Prints the script for `command`.
    pub(super) fn run(&self, mut command: Command) -> Result<(), Failure> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        print(|out| out.write_all(&script))
    }
}
