//! One live run: from its arguments to its exit status.

use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use super::super::arguments::Arguments;
use super::super::client::GatewayClient;
use super::super::display::Display;
use super::super::exit_status::{NOTHING_TRIED, SOME_FAILED};
use super::super::input::Input;
use super::super::interrupts::{Interrupt, Interrupts};
use super::super::live_arguments::LiveArgumentError;
use super::super::own_gateway::OwnGateway;
use super::super::recording::Recording;
use super::super::remote::{Remote, find_remote};
use super::super::run_error::RunError;
use super::conversation::Conversation;
use super::error::LiveError;
use super::link::Link;
use super::output::{Output, OutputForm};
use super::report::Report;
use super::sound::Sound;
use super::sound_format::SoundFormat;
use super::token_renewal::TokenRenewal;
use crate::cli::output::print_remark;
use crate::telemetry;

/// The time and the size of what is still read after a signal: a recorder that got the same one has written its last sound into
/// the pipe.
const LAST_TIME: Duration = Duration::from_secs(1);
const LAST_BYTES: usize = 256 * 1024;

/// A run, checked before anything is read.
struct LiveRun<'a> {
    arguments: &'a Arguments,
    report: Report,
    form: OutputForm,
}

/// Transcribes standard input while it comes, and returns the exit status. `file` is the settings file that the command line
/// names.
pub(in super::super) async fn run(arguments: &Arguments, file: Option<&Path>) -> Result<u8, RunError> {
    let form = OutputForm::of(arguments.format)?;
    if io::stdin().is_terminal() {
        return Err(LiveArgumentError::Terminal.into());
    }
    let remote = find_remote(&arguments.gateway)?;
    telemetry::start_warnings()?;
    let mut interrupts = Interrupts::catch().map_err(RunError::Signals)?;
    let run = LiveRun { arguments, report: Report::new(Display::without_bars(arguments.quiet)), form };
    let Some(Remote { address, token }) = remote else {
        let OwnGateway { application, client } = OwnGateway::start(file, arguments.model.as_deref())?;
        let (status, served) =
            OwnGateway::serve(application, Box::pin(run.with(&client, TokenRenewal::new(None), &mut interrupts))).await;
        return status.ok_or_else(|| RunError::Ended(served.err().unwrap_or_else(|| ErrorKind::Other.into())));
    };
    let client = GatewayClient::of_another(address, &token)?;
    let client = tokio::select! {
        checked = client.checked(arguments.model.as_deref()) => checked?,
        interrupt = interrupts.next() => return Ok(interrupt.exit_status()),
    };
    let token = TokenRenewal::new(Some(&arguments.gateway));
    Ok(run.with(&client, token, &mut interrupts).await)
}

impl LiveRun<'_> {
    /// Transcribes with a gateway, and returns the exit status.
    async fn with(self, client: &GatewayClient, token: TokenRenewal<'_>, interrupts: &mut Interrupts) -> u8 {
        let Self { arguments, report, form } = self;
        let sound = Sound::new(format_of(arguments));
        let link = Link::new(client, &report, token);
        let conversation = Conversation::new(link, &sound, &report, options(arguments));
        let mut output = match Output::start(form, report.display.clone()) {
            Ok(output) => output,
            Err(error) => return failed(&error, &conversation, &report),
        };
        let talk = Talk { sound: &sound, report: &report, conversation: &conversation };
        let ended = match talk.run(&mut output, interrupts).await {
            End::Finished(ended) => ended,
            End::Stopped(interrupt) => {
                conversation.give_up().await;
                print_remark("stopped before the last words have come");
                return interrupt.exit_status();
            }
        };
        let written = output.finish(ended.is_ok()).await;
        match ended.and(written) {
            Ok(()) if report.is_incomplete() => SOME_FAILED,
            Ok(()) => 0,
            Err(error) => {
                conversation.give_up().await;
                failed(&error, &conversation, &report)
            }
        }
    }
}

/// Standard input on one side, the gateway on the other.
struct Talk<'a> {
    sound: &'a Sound,
    report: &'a Report,
    conversation: &'a Conversation<'a>,
}

/// The end of a talk.
enum End {
    /// The last words have come, or no more will.
    Finished(Result<(), LiveError>),
    /// A second signal has stopped it.
    Stopped(Interrupt),
}

impl Talk<'_> {
    /// Reads the sound and writes the words. The first signal ends the sound, and the second one the run.
    async fn run(&self, output: &mut Output, interrupts: &mut Interrupts) -> End {
        let Self { sound, report, conversation } = self;
        let left = Cell::new(None);
        let (mut reading, mut talking) = (pin!(read(sound, &left)), pin!(conversation.run(output)));
        let (mut is_reading, mut ends_at) = (true, None);
        let ended = loop {
            tokio::select! {
                ended = &mut talking => break ended,
                read = &mut reading, if is_reading => {
                    is_reading = false;
                    if let Err(error) = read {
                        report.missing(&format!("standard input cannot be read: {error}"));
                    }
                    sound.complete();
                }
                () = until(ends_at), if is_reading => {
                    is_reading = false;
                    sound.complete();
                }
                interrupt = interrupts.next() => {
                    if ends_at.is_some() {
                        return End::Stopped(interrupt);
                    }
                    ends_at = Some(Instant::now() + LAST_TIME);
                    left.set(Some(LAST_BYTES));
                    report.display.note("waiting for the last words; another Ctrl-C does not wait");
                }
            }
        };
        // Nothing comes of a recorder that failed, which is not what a script expects.
        if ended.is_ok() && ends_at.is_none() && !sound.has_come() {
            report.missing("there is no sound on standard input");
        }
        End::Finished(ended)
    }
}

/// Tells why a run has ended early, and returns its exit status.
fn failed(error: &LiveError, conversation: &Conversation<'_>, report: &Report) -> u8 {
    match error {
        // A closed pipe, such as one to `head`, has had enough.
        LiveError::Output(error) if error.kind() == ErrorKind::BrokenPipe => {
            if report.is_incomplete() {
                SOME_FAILED
            } else {
                0
            }
        }
        _ => {
            print_remark(&error.to_string());
            if conversation.has_begun() { SOME_FAILED } else { NOTHING_TRIED }
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Reads standard input to its end, or until nothing is `left` to be read.
async fn read(sound: &Sound, left: &Cell<Option<usize>>) -> io::Result<()> {
    let recording = Recording::open(&Input::Standard).await?;
    let mut chunks = pin!(recording.into_stream());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        sound.push(&chunk).await;
        let rest = left.get().map(|left| left.saturating_sub(chunk.len()));
        left.set(rest);
        if rest == Some(0) {
            break;
        }
    }
    Ok(())
}

fn format_of(arguments: &Arguments) -> SoundFormat {
    match arguments.live.sample_rate {
        Some(rate) => SoundFormat::Pcm { rate, channels: arguments.live.channels.unwrap_or(1) },
        None => SoundFormat::Container,
    }
}

/// Returns the options of each session.
fn options(arguments: &Arguments) -> Map<String, Value> {
    let Arguments { model, language, prompt, .. } = arguments;
    let given = [("model", model), ("language", language), ("prompt", prompt)];
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    given.collect()
}
