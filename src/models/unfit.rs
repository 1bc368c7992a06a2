//! The reasons why a model cannot do a job.

use crate::domain::terms::{Format, Task};
use crate::domain::{AudioMs, FileFormat, OptionName};

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
    /// The model does not take this file format.
    #[error("The model '{model}' does not take {format} files. Send {allowed} instead.")]
    FileFormat {
        /// The model.
        model: String,
        /// The recording's file format.
        format: FileFormat,
        /// The model's file formats, as text for the message.
        allowed: String,
    },
    /// The file is too large for the model.
    #[error("Maximum content size limit ({max_bytes}) of model '{model}' exceeded: the recording has {bytes} bytes.")]
    TooLarge {
        /// The model.
        model: String,
        /// The size of the recording.
        bytes: u64,
        /// The model's maximum.
        max_bytes: u64,
    },
    /// The audio is too long for the model.
    #[error(
        "audio duration {length} seconds is longer than {max_audio} seconds which is the maximum for model '{model}'."
    )]
    TooLong {
        /// The model.
        model: String,
        /// The measured audio.
        length: AudioMs,
        /// The model's maximum.
        max_audio: AudioMs,
    },
    /// The audio is too short for the model.
    #[error(
        "audio duration {length} seconds is shorter than {min_audio} seconds which is the minimum for model '{model}'."
    )]
    TooShort {
        /// The model.
        model: String,
        /// The measured audio.
        length: AudioMs,
        /// The model's minimum.
        min_audio: AudioMs,
    },
}
