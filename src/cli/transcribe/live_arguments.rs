//! The part of the command line about `--live`.

use clap::Args;
use clap::value_parser;

/// Sound that is transcribed while it comes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live")]
pub(super) struct LiveArguments {
    /// Read sound from standard input while it is spoken, and print its words as they come
    #[arg(long, conflicts_with_all = ["files", "output", "overwrite", "stream", "jobs", "timeout"])]
    pub(super) live: bool,
    #[allow(clippy::doc_markdown, reason = "the help shows it")]
    // What `--live` conflicts with lets clap forget that this requires it.
    /// The sound is 16-bit PCM, little-endian, with so many samples a second, 8000 to 48000 [default: a recording in Ogg,
    /// WAV, WebM or fragmented MP4]
    #[arg(long, value_name = "NUMBER", requires = "live", conflicts_with = "files", value_parser = value_parser!(u32).range(8000..=48_000))]
    pub(super) sample_rate: Option<u32>,
    /// The number of channels of PCM, 1 or 2 [default: 1]
    #[arg(long, value_name = "NUMBER", requires = "sample_rate", value_parser = value_parser!(u16).range(1..=2))]
    pub(super) channels: Option<u16>,
}

/// The reason why arguments do not go together with `--live`.
#[derive(Debug, thiserror::Error)]
pub(super) enum LiveArgumentError {
    /// A format that cannot be written as words come.
    #[error("--live takes --format text, json, srt or vtt: {0} is written for a whole recording alone")]
    Format(&'static str),
    /// Nothing is piped in.
    #[error(
        "--live reads sound from standard input, which is a terminal: pipe a recorder into it, as in `arecord -q -t raw -f \
         S16_LE -r 16000 | voxgate transcribe --live --sample-rate 16000`"
    )]
    Terminal,
}
