//! One run of the command.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::path::Path;

use secrecy::SecretString;

use super::address::{AddressError, GatewayAddress};
use super::arguments::{Arguments, GatewayArguments};
use super::batch::Batch;
use super::client::{ClientError, GatewayClient};
use super::display::Display;
use super::environment::variable;
use super::interrupts::{Interrupt, Interrupts};
use super::output_file::{OutputError, OutputFile, State, prepare_folder};
use super::own_gateway::{OwnGateway, OwnGatewayError};
use super::plan::{PlanError, Task, plan};
use super::request::Options;
use super::tally::{Tally, count};
use super::token_source::{self, TokenError};
use crate::cli::output::print_remark;
use crate::telemetry;

/// The exit status of a run in which nothing could be tried.
pub(in crate::cli) const NOTHING_TRIED: u8 = 2;
/// The exit status of a run in which some recordings failed.
const SOME_FAILED: u8 = 1;

/// The reason why nothing could be tried.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    OwnGateway(#[from] OwnGatewayError),
    #[error(transparent)]
    Logs(#[from] telemetry::LogError),
    #[error("the gateway in this process ended: {0}")]
    Ended(io::Error),
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
}

/// A gateway that runs somewhere else.
struct Remote {
    address: GatewayAddress,
    token: SecretString,
}

/// The end of the work.
enum End {
    /// All recordings had their turn, or standard output failed.
    Finished(io::Result<()>),
    Stopped(Interrupt),
}

/// Runs the command and returns its exit status. `file` is the settings file that the command line names.
pub(in crate::cli) async fn run(arguments: &Arguments, file: Option<&Path>) -> u8 {
    match try_run(arguments, file).await {
        Ok(status) => status,
        Err(error) => {
            print_remark(&error.to_string());
            NOTHING_TRIED
        }
    }
}

async fn try_run(arguments: &Arguments, file: Option<&Path>) -> Result<u8, RunError> {
    let tasks = plan(arguments)?;
    let remote = find_remote(&arguments.gateway)?;
    let (all, tally, display) = (tasks.len(), Tally::default(), Display::new(arguments.quiet, tasks.len()));
    let tasks = leave_out_done(tasks, arguments.overwrite, &display, &tally);
    if tasks.is_empty() {
        display.clear();
        display.note(&format!("{}; --overwrite transcribes them again", tally.describe(all)));
        return Ok(0);
    }
    // Held until the end: a second run would pay for the same recordings.
    let _lock = arguments.output.as_deref().map(prepare_folder).transpose()?;
    telemetry::start_warnings()?;
    let is_refused = Cell::new(false);
    let run = Run { arguments, tasks: &tasks, display: &display, tally: &tally, is_refused: &is_refused };
    let end = match remote {
        Some(Remote { address, token }) => run.at(address, &token).await,
        None => run.alone(file).await,
    };
    display.clear();
    let status = report(end?, &tally, all, arguments);
    // Then it is the token that is wrong, or spent.
    let is_in_vain = is_refused.get() && status == SOME_FAILED && tally.done.get() == 0;
    Ok(if is_in_vain { NOTHING_TRIED } else { status })
}

/// Finds the gateway that the command line or the environment names.
fn find_remote(arguments: &GatewayArguments) -> Result<Option<Remote>, RunError> {
    let Some(url) = arguments.url.clone().or_else(|| variable("VOXGATE_URL")) else {
        token_source::refuse_without_url(arguments)?;
        return Ok(None);
    };
    let address = GatewayAddress::parse(&url)?;
    let token = token_source::find(arguments)?;
    if address.is_readable_on_the_way() {
        print_remark(&format!("the token goes to {address} over plain HTTP, and others on the way can read it"));
    }
    Ok(Some(Remote { address, token }))
}

/// Leaves out the recordings whose transcripts are there.
fn leave_out_done(tasks: Vec<Task>, overwrite: bool, display: &Display, tally: &Tally) -> Vec<Task> {
    let is_done = |task: &Task| !overwrite && task.output.as_ref().is_some_and(|file| file.state(false) == State::Done);
    let (done, left): (Vec<_>, Vec<_>) = tasks.into_iter().partition(is_done);
    for Task { input, output } in &done {
        let file = output.as_ref().map(OutputFile::label).unwrap_or_default();
        display.note(&format!("{}: skipped, {file} is there", input.label()));
        display.count_one();
        count(&tally.skipped);
    }
    left
}

/// The recordings that are left to transcribe.
struct Run<'a> {
    arguments: &'a Arguments,
    tasks: &'a [Task],
    display: &'a Display,
    tally: &'a Tally,
    is_refused: &'a Cell<bool>,
}

impl Run<'_> {
    /// Transcribes with the gateway at `address`.
    async fn at(&self, address: GatewayAddress, token: &SecretString) -> Result<End, RunError> {
        let mut interrupts = Interrupts::catch().map_err(RunError::Signals)?;
        let client = GatewayClient::of_another(address, token)?;
        let work = async {
            let client = client.checked(self.arguments.model.as_deref()).await?;
            Ok(End::Finished(self.transcribe(&client).await))
        };
        tokio::select! {
            end = work => end,
            interrupt = interrupts.next() => Ok(End::Stopped(interrupt)),
        }
    }

    /// Transcribes with a gateway in this process.
    async fn alone(&self, file: Option<&Path>) -> Result<End, RunError> {
        let mut interrupts = Interrupts::catch().map_err(RunError::Signals)?;
        let OwnGateway { application, client } = OwnGateway::start(file, self.arguments.model.as_deref())?;
        let work = async {
            tokio::select! {
                end = self.transcribe(&client) => End::Finished(end),
                interrupt = interrupts.next() => End::Stopped(interrupt),
            }
        };
        let (end, served) = OwnGateway::serve(application, work).await;
        // What was transcribed is written, whatever becomes of the gateway then.
        match (end, served) {
            (Some(end), _) => Ok(end),
            (None, served) => Err(RunError::Ended(served.err().unwrap_or_else(|| ErrorKind::Other.into()))),
        }
    }

    async fn transcribe(&self, client: &GatewayClient) -> io::Result<()> {
        let Arguments { format, model, language, prompt, timeout, .. } = self.arguments;
        let options = Options {
            format: format.of_api(),
            model: model.clone(),
            language: language.clone(),
            prompt: prompt.clone(),
            timeout: *timeout,
        };
        let batch = Batch {
            client,
            options: &options,
            tasks: self.tasks,
            jobs: usize::from(self.arguments.jobs),
            overwrite: self.arguments.overwrite,
            stream: self.arguments.stream,
            display: self.display,
            tally: self.tally,
            is_refused: self.is_refused,
        };
        batch.run().await
    }
}

/// Tells how the run ended, and returns its exit status.
fn report(end: End, tally: &Tally, all: usize, arguments: &Arguments) -> u8 {
    let is_complete = tally.failed.get() == 0;
    match end {
        End::Stopped(interrupt) => {
            let again = if arguments.output.is_some() { "; the same command goes on with the rest" } else { "" };
            print_remark(&format!("stopped: {}{again}", tally.describe(all)));
            interrupt.exit_status()
        }
        // A closed pipe, such as one to `head`, has had enough.
        End::Finished(Err(error)) if error.kind() == ErrorKind::BrokenPipe => {
            if is_complete {
                0
            } else {
                SOME_FAILED
            }
        }
        End::Finished(Err(error)) => {
            print_remark(&format!("the output cannot be written: {error}"));
            SOME_FAILED
        }
        End::Finished(Ok(())) => {
            if all > 1 && !arguments.quiet {
                print_remark(&tally.describe(all));
            }
            if is_complete { 0 } else { SOME_FAILED }
        }
    }
}
