//! The plan of a run, checked before anything is sent.

use std::collections::HashSet;

use super::arguments::{Arguments, OutputFormat};
use super::input::{Input, InputError};
use super::output_file::{OutputError, OutputFile};

/// The reason why arguments do not go together.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// Recordings that cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Transcripts that cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Several transcripts that cannot be told apart on standard output.
    #[error(
        "several recordings with --format {0} need --output FOLDER: only text goes to standard output one after another"
    )]
    NeedsOutput(&'static str),
    /// One recording, twice.
    #[error("{0} is named twice, and would be paid for twice")]
    Twice(String),
    /// The words of several recordings.
    #[error("--stream takes one recording: the words of several would be mixed")]
    StreamsOne,
    /// The words of a format that has more than words.
    #[error("--stream prints words, so it goes with --format text alone")]
    StreamsText,
}

/// A recording, and where its transcript goes.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) input: Input,
    /// The file for the transcript; `None` for standard output.
    pub(super) output: Option<OutputFile>,
}

/// Returns the tasks that the arguments ask for, those whose transcripts are there included.
pub(super) fn plan(arguments: &Arguments) -> Result<Vec<Task>, PlanError> {
    let (format, inputs) = (arguments.format, Input::expand(&arguments.files)?);
    if arguments.stream && format != OutputFormat::Text {
        return Err(PlanError::StreamsText);
    }
    if arguments.stream && inputs.len() > 1 {
        return Err(PlanError::StreamsOne);
    }
    let Some(folder) = &arguments.output else {
        if inputs.len() > 1 && format != OutputFormat::Text {
            return Err(PlanError::NeedsOutput(format.of_api().as_str()));
        }
        let mut known = HashSet::new();
        if let Some(twice) = inputs.iter().find(|input| input.identity().is_some_and(|file| !known.insert(file))) {
            return Err(PlanError::Twice(twice.label()));
        }
        return Ok(inputs.into_iter().map(|input| Task { input, output: None }).collect());
    };
    let outputs = OutputFile::plan(&inputs, folder, format.extension())?;
    Ok(inputs.into_iter().zip(outputs).map(|(input, output)| Task { input, output: Some(output) }).collect())
}
