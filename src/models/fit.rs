//! Checks of a job against a model's entry. The provider decides on all that the entry leaves open.

use crate::config::Model;
use crate::domain::terms::{Format, Task};
use crate::domain::text::alternatives;
use crate::domain::{AudioMs, OptionName};
use crate::intake::Job;

/// The reasons why a model cannot do a job.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The model does not do this task.
    #[error("The model '{model}' does not {task}.")]
    Task {
        /// The model.
        model: String,
        /// The requested task.
        task: Task,
    },
    /// The model does not answer in this format.
    #[error("response_format '{format}' is not compatible with model '{model}'. Use {allowed} instead.")]
    Format {
        /// The model.
        model: String,
        /// The requested format.
        format: Format,
        /// The model's formats, as text for the message.
        allowed: String,
    },
    /// The model does not accept this option.
    #[error("'{option}' is not compatible with model '{model}'.")]
    Option {
        /// The model.
        model: String,
        /// The option.
        option: OptionName,
    },
    /// The audio is too long for the model.
    #[error(
        "audio duration {length} seconds is longer than {longest} seconds which is the maximum for model '{model}'."
    )]
    TooLong {
        /// The model.
        model: String,
        /// The measured audio.
        length: AudioMs,
        /// The model's maximum.
        longest: AudioMs,
    },
    /// The audio is too short for the model.
    #[error(
        "audio duration {length} seconds is shorter than {shortest} seconds which is the minimum for model '{model}'."
    )]
    TooShort {
        /// The model.
        model: String,
        /// The measured audio.
        length: AudioMs,
        /// The model's minimum.
        shortest: AudioMs,
    },
}

pub(crate) fn check(job: &Job, model: &Model) -> Result<(), Unfit> {
    let name = || model.name.clone();
    if !model.tasks.contains(&job.task) {
        return Err(Unfit::Task { model: name(), task: job.task });
    }
    let format = job.options.format();
    if let Some(formats) = &model.formats
        && !formats.contains(&format)
    {
        return Err(Unfit::Format { model: name(), format, allowed: alternatives(formats, '\'') });
    }
    if let Some(options) = &model.options
        && let Some(option) = job.options.given().find(|option| !options.contains(option))
    {
        return Err(Unfit::Option { model: name(), option });
    }
    // Only a measured length can refuse a job; a bound derived from the size cannot.
    let Some(length) = job.media.length.measured() else { return Ok(()) };
    match (model.shortest, model.longest) {
        (_, Some(longest)) if length > longest => Err(Unfit::TooLong { model: name(), length, longest }),
        (Some(shortest), _) if length < shortest => Err(Unfit::TooShort { model: name(), length, shortest }),
        _ => Ok(()),
    }
}
