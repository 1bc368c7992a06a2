//! The form of the joined transcript.

use crate::domain::terms::{Format, Task};

/// The source of the times in the joined transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The model's answers, moved to each piece's start.
    Model,
    /// The pieces themselves, for a model that gives text alone.
    Pieces,
}

/// The form of the joined transcript, as the client asked for it.
#[derive(Clone)]
pub struct JoinRequest {
    /// The format of the joined answer.
    pub format: Format,
    /// The source of the times.
    pub times: Times,
    /// The task, which verbose answers name.
    pub task: Task,
    /// The language that the client stated. A verbose answer names it if no answer of the model's names one.
    pub language: Option<String>,
    /// The names of the speakers that the client knows. They are the same in all pieces; the model's own labels are not.
    pub known_speakers: Vec<String>,
}

impl JoinRequest {
    /// Returns the format to ask the provider for, for each piece.
    pub fn piece_format(&self) -> Format {
        match (self.times, self.format) {
            (Times::Pieces, Format::Srt | Format::Vtt | Format::VerboseJson) => Format::Json,
            (_, format) => format,
        }
    }
}
