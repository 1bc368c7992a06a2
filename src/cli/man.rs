//! `voxgate man`: the manual pages, made from the same descriptions as `--help`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::output::{Failure, print};

const NOTES: &str = "\
Read a page, or write all of them where `man` looks for pages:
  voxgate man > voxgate.1 && man ./voxgate.1
  voxgate man --output ~/.local/share/man/man1";

/// Arguments of `voxgate man`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct ManPages {
    /// Write voxgate.1 and a page for each command to this folder, instead of voxgate(1) to standard output
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

impl ManPages {
    /// Prints or writes the pages of `command`.
    pub(super) fn run(&self, command: Command) -> Result<(), Failure> {
        // `help` only repeats what the pages say.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        let Some(folder) = &self.output else {
            let page = page(&command).map_err(Failure::other)?;
            return print(|out| out.write_all(&page));
        };
        write_pages(&command, folder)
            .map_err(|error| Failure::Other(format!("{}: the pages cannot be written: {error}", folder.display())))
    }
}

fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        fs::write(folder.join(Man::new(command.clone()).get_filename()), page(command)?)?;
    }
    Ok(())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).manual("Voxgate").source(concat!("voxgate ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_long_help().or(command.get_after_help()) {
        write_notes(&notes.to_string(), &mut page)?;
    }
    Ok(page)
}

/// Writes the text after the options with the line breaks that it has: most of it is columns and command lines, which
/// `man` would join.
fn write_notes(notes: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    for line in notes.lines() {
        let is_verbatim = line.starts_with(' ');
        if is_verbatim {
            roff.control("nf", []);
        }
        roff.text([roman(line)]);
        roff.control(if is_verbatim { "fi" } else { "br" }, []);
    }
    roff.to_writer(page)
}
