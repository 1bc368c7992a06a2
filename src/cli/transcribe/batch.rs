//! All recordings of a run, several at a time.

use std::cell::Cell;
use std::io;

use futures_util::{StreamExt, stream};

use super::amounts;
use super::client::GatewayClient;
use super::display::Display;
use super::error::TranscribeError;
use super::heard::Heard;
use super::output_file::{OutputFile, State, Written};
use super::plan::Task;
use super::printer::{Named, Printer};
use super::recording_progress::RecordingProgress;
use super::request::{Options, Request};
use super::slots::Slots;
use super::standard_output::{Pending, StandardOutput};
use super::tally::{Tally, count};
use super::transcript::Transcript;
use super::words::Words;

/// A run over recordings.
pub(super) struct Batch<'a> {
    pub(super) client: &'a GatewayClient,
    pub(super) options: &'a Options,
    pub(super) tasks: &'a [Task],
    pub(super) jobs: usize,
    /// True if transcripts that are there are replaced.
    pub(super) overwrite: bool,
    /// True if words are printed as they come.
    pub(super) stream: bool,
    pub(super) display: &'a Display,
    pub(super) tally: &'a Tally,
    /// True as soon as the gateway has refused the caller, so that no more recordings are sent.
    pub(super) is_refused: &'a Cell<bool>,
}

/// The next step for a transcript, or for a part of one.
enum Finished {
    /// It is in its file, or its words were printed, or there is none.
    Delivered,
    /// It goes to standard output.
    ToPrint(Heard),
}

impl Batch<'_> {
    /// Transcribes all recordings. Fails if standard output does.
    pub(super) async fn run(&self) -> io::Result<()> {
        let slots = &Slots::new(self.jobs);
        let out = &StandardOutput::start(self.display.clone())?;
        let (mut printer, mut pending) = (Printer::new(self.tasks.len()), Vec::new());
        let tasks = self.tasks.iter().enumerate();
        let tasks = tasks.map(|(position, task)| async move { (position, task, self.turn(task, slots, out).await) });
        let mut finished = stream::iter(tasks).buffer_unordered(self.jobs);
        while let Some((position, task, finished)) = finished.next().await {
            let named = match finished {
                Finished::Delivered => None,
                Finished::ToPrint(heard) => Some(Named { name: task.input.label(), heard }),
            };
            let mut bytes = Vec::new();
            printer.put(position, named, &mut bytes)?;
            if !bytes.is_empty() {
                match out.queue(bytes).await {
                    Ok(next) => pending.push(next),
                    // Why, says what was to be written before.
                    Err(error) => return all_written(pending).await.and(Err(error)),
                }
            }
        }
        all_written(pending).await
    }

    /// Transcribes one recording, unless that is useless or done by now.
    async fn turn(&self, task: &Task, slots: &Slots, out: &StandardOutput) -> Finished {
        if self.is_refused.get() {
            return Finished::Delivered;
        }
        match task.output.as_ref().map(|file| (file, file.state(self.overwrite))) {
            Some((file, State::Done)) => {
                count(&self.tally.skipped);
                let progress = RecordingProgress::new(task.input.label(), self.display);
                progress.finish(&format!("skipped, {} is there", file.label()));
                Finished::Delivered
            }
            Some((_, State::Blocked(why))) => {
                count(&self.tally.failed);
                RecordingProgress::new(task.input.label(), self.display).fail(&why);
                Finished::Delivered
            }
            Some((_, State::Free)) | None => self.transcribe(task, slots, out).await,
        }
    }

    async fn transcribe(&self, task: &Task, slots: &Slots, out: &StandardOutput) -> Finished {
        let mut progress = RecordingProgress::new(task.input.label(), self.display);
        let mut words = Words::new(self.stream.then(|| out.clone()));
        let request = Request { client: self.client, options: self.options, slots, input: &task.input };
        match request.transcribe(&mut progress, &mut words).await {
            Ok(transcript) => self.deliver(task, transcript, progress, words).await,
            Err(error) => {
                words.break_off().await;
                if matches!(error, TranscribeError::RefusedForGood(_)) {
                    self.is_refused.set(true);
                }
                self.fail(task, error, progress)
            }
        }
    }

    async fn deliver(
        &self,
        task: &Task,
        transcript: Transcript,
        progress: RecordingProgress,
        words: Words,
    ) -> Finished {
        let Transcript { heard, audio } = transcript;
        let audio = audio.map(|audio| format!(", {} of audio", amounts::length(audio.duration()))).unwrap_or_default();
        let Some(file) = &task.output else {
            count(&self.tally.done);
            progress.finish(&format!("transcribed{audio}"));
            if self.stream {
                words.finish(&heard).await;
                return Finished::Delivered;
            }
            return Finished::ToPrint(heard);
        };
        match file.write(&heard.0, self.overwrite) {
            Ok(Written::New) => {
                count(&self.tally.done);
                progress.finish(&format!("written to {}{audio}", file.label()));
            }
            Ok(Written::WasThere) => {
                count(&self.tally.skipped);
                progress.finish(&format!("{} has come in the meantime, and stays", file.label()));
            }
            Err(error) => {
                count(&self.tally.failed);
                progress.fail(&format!("{}; it is on standard output", unwritable(file, error)));
                return Finished::ToPrint(heard);
            }
        }
        Finished::Delivered
    }

    /// Tells why there is no transcript. What was heard of it was paid for, so it is kept.
    fn fail(&self, task: &Task, error: TranscribeError, progress: RecordingProgress) -> Finished {
        count(&self.tally.failed);
        let TranscribeError::Incomplete { refusal, heard, missing } = error else {
            progress.fail(&error.to_string());
            return Finished::Delivered;
        };
        let missing = format!("{refusal}; missing is {missing}");
        match &task.output {
            Some(file) => {
                match file.write_incomplete(&heard.0) {
                    Ok(name) => progress.fail(&format!("{missing}; what was heard is in {name}")),
                    Err(error) => {
                        progress.fail(&format!("{missing}; {}; it is on standard output", unwritable(file, error)));
                        return Finished::ToPrint(heard);
                    }
                }
                Finished::Delivered
            }
            None if self.stream => {
                progress.fail(&missing);
                Finished::Delivered
            }
            None => {
                progress.fail(&missing);
                Finished::ToPrint(heard)
            }
        }
    }
}

/// Waits until everything is written, and returns the first error.
async fn all_written(pending: Vec<Pending>) -> io::Result<()> {
    for each in pending {
        each.written().await?;
    }
    Ok(())
}

fn unwritable(file: &OutputFile, error: io::Error) -> TranscribeError {
    TranscribeError::Unwritable { file: file.label(), error }
}
