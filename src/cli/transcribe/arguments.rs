//! The command line of `voxgate transcribe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::value_parser;
use clap::{Args, ValueEnum};
use secrecy::SecretString;

use super::live_arguments::LiveArguments;
use crate::domain::terms::Format;

/// The largest number of recordings that are sent at the same time.
const MAX_JOBS: i64 = 16;

const NOTES: &str = "\
Without --url, the command works with the provider's key alone; nothing else has to run:
  OPENAI_API_KEY=sk-… voxgate transcribe talk.m4a

With --url, it sends the recordings to a gateway, with a token that the gateway's operator made:
  voxgate transcribe --url https://voxgate.example.com --token-file token.txt talk.m4a

A folder, with subtitles in another; the same command again goes on where it was stopped:
  voxgate transcribe recordings/ --format srt --output subtitles/

Words while they are spoken, from a microphone or any other program that writes sound (--live):
  arecord -q -t raw -f S16_LE -r 16000 | voxgate transcribe --live --sample-rate 16000

Environment:
  VOXGATE_URL                        as --url
  VOXGATE_TOKEN, VOXGATE_TOKEN_FILE  the token, or the file that it is in
  OPENAI_API_KEY, OPENAI_BASE_URL    without --url: the provider, as for `voxgate serve`
  VOXGATE_CONFIG                     without --url: as --config, for its providers and models

Exit status:
  0    every recording is transcribed, or its transcript was there; with --live, all of the sound
  1    some recordings failed, or parts of the sound; standard error names each
  2    nothing could be tried: wrong arguments, no key, no gateway, a refused token
  130  stopped by Ctrl-C (143 by SIGTERM, 129 by SIGHUP)";

/// Arguments of `voxgate transcribe`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(in crate::cli) struct Arguments {
    /// The recordings: files, folders for the recordings directly in them, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "live")]
    pub(super) files: Vec<PathBuf>,
    /// The format of the transcripts
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
    /// Write each transcript to a file in this folder, such as talk.srt for talk.m4a, and skip those that are there
    /// [default: write to standard output]
    #[arg(short, long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,
    /// Transcribe again what is there already, and replace it
    #[arg(long, requires = "output")]
    pub(super) overwrite: bool,
    /// Print the words of one recording as they come; text on standard output only
    #[arg(long, conflicts_with = "output")]
    pub(super) stream: bool,
    /// The model [default: the gateway's]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(super) model: Option<String>,
    /// The language of the recordings, such as en [default: the model finds out]
    #[arg(long, value_name = "CODE", value_parser = NonEmptyStringValueParser::new())]
    pub(super) language: Option<String>,
    /// Names and terms that occur in the recordings, or text that comes before them
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(super) prompt: Option<String>,
    /// The number of recordings that are sent at the same time, 1 to 16
    #[arg(short, long, value_name = "NUMBER", default_value_t = 4, value_parser = value_parser!(u8).range(1..=MAX_JOBS))]
    pub(super) jobs: u8,
    /// The longest time for one recording, such as 10m [default: the gateway's, and at most 2h for an answer]
    #[arg(long, value_name = "TIME", value_parser = read_timeout)]
    pub(super) timeout: Option<Duration>,
    /// Print no progress, only errors
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) live: LiveArguments,
    #[command(flatten)]
    pub(super) gateway: GatewayArguments,
}

/// The gateway that transcribes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gateway")]
pub(super) struct GatewayArguments {
    /// The address of a gateway [default: one that runs only for this command]
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// The token for it. Other users of this machine can see it in `ps`: prefer --token-file or `VOXGATE_TOKEN`
    #[arg(long, value_name = "TOKEN", value_parser = read_token, conflicts_with = "token_file")]
    pub(super) token: Option<SecretString>,
    /// The file that the token is in
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
}

/// The format of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum OutputFormat {
    /// The text alone
    #[default]
    Text,
    /// The answer of the API, with the usage; with --live, each event on a line
    Json,
    /// Subtitles
    Srt,
    /// Subtitles for the web
    Vtt,
    /// JSON with segments and their times
    #[value(name = "verbose_json")]
    VerboseJson,
}

impl OutputFormat {
    /// Returns the format's name in the API.
    pub(super) const fn of_api(self) -> Format {
        match self {
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Srt => Format::Srt,
            Self::Vtt => Format::Vtt,
            Self::VerboseJson => Format::VerboseJson,
        }
    }

    /// Returns the ending of a file's name.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json | Self::VerboseJson => "json",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
        }
    }
}

fn read_timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_secs(1)..=Duration::from_hours(24);
    if allowed.contains(&timeout) { Ok(timeout) } else { Err("takes 1s to 24h".to_owned()) }
}

/// Takes the token as a secret, so that no message shows it. Cannot fail.
#[allow(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn read_token(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text.to_owned()))
}
