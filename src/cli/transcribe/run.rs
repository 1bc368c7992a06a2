//! One run of the command.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::path::Path;

use secrecy::SecretString;

use super::address::GatewayAddress;
use super::arguments::Arguments;
use super::batch::Batch;
use super::client::GatewayClient;
use super::display::Display;
use super::exit_status::{NOTHING_TRIED, SOME_FAILED};
use super::interrupts::{Interrupt, Interrupts};
use super::live;
use super::output_file::{OutputFile, State, prepare_folder};
use super::own_gateway::OwnGateway;
use super::plan::{Task, plan};
use super::remote::{Remote, find_remote};
use super::request::Options;
use super::run_error::RunError;
use super::tally::{Tally, count};
use crate::cli::output::print_remark;
use crate::telemetry;

/// The end of the work.
enum End {
    /// All recordings had their turn, or standard output failed.
    Finished(io::Result<()>),
    Stopped(Interrupt),
}

/// Runs the command and returns its exit status. `file` is the settings file that the command line names.
pub(in crate::cli) async fn run(arguments: &Arguments, file: Option<&Path>) -> u8 {
    let ran =
        if arguments.live.live { Box::pin(live::run(arguments, file)).await } else { try_run(arguments, file).await };
    match ran {
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
