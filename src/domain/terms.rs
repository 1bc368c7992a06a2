//! Terms that several modules use: the task of a request, and the format of its answer.

use super::words::words;

/// The target of log lines for auditors: tokens, sessions, keys and settings that were issued, revoked or changed, with
/// the responsible party.
pub const AUDIT: &str = "voxgate::audit";

/// The task for the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Transcription in the spoken language.
    Transcribe,
    /// Translation into English from any language.
    Translate,
}

impl Task {
    /// Returns the last part of the route and of the provider's path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Transcribe => "transcriptions",
            Self::Translate => "translations",
        }
    }
}

words!(Task { Transcribe = "transcribe", Translate = "translate" });

/// The `response_format`: the format of the provider's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A JSON object: `{"text": …}`.
    Json,
    /// The text alone.
    Text,
    /// `SubRip` subtitles.
    Srt,
    /// JSON with segments and, if asked for, words.
    VerboseJson,
    /// `WebVTT` subtitles.
    Vtt,
    /// JSON with a speaker for each segment.
    DiarizedJson,
}

words!(Format {
    Json = "json",
    Text = "text",
    Srt = "srt",
    VerboseJson = "verbose_json",
    Vtt = "vtt",
    DiarizedJson = "diarized_json",
});

/// The source of the times in subtitles and in JSON with segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timestamps {
    /// The model gives them.
    Model,
    /// The model gives none: the gateway cuts the recording at pauses, and the times are those of the pieces.
    Pieces,
    /// There are none.
    None,
}

words!(Timestamps { Model = "model", Pieces = "pieces", None = "none" });

/// The way in which a model transcribes audio that is still being spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveMode {
    /// Each turn of speech goes to it as a file.
    Segments,
    /// It does not serve live sessions.
    None,
}

words!(LiveMode { Segments = "segments", None = "none" });

impl Format {
    /// Returns true if an answer in this format consists of times and the text between them.
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::Srt | Self::Vtt | Self::VerboseJson)
    }

    /// Returns true if an answer in this format is a JSON object.
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::VerboseJson | Self::DiarizedJson)
    }
}
