//! Terms that several modules use: the task of a request, and the format of its answer.

use std::fmt;
use std::str::FromStr;

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

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transcribe => "transcribe",
            Self::Translate => "translate",
        })
    }
}

/// The error of a word that is not allowed.
#[derive(Debug, thiserror::Error)]
#[error("is not one of {allowed}")]
pub struct UnknownVariant {
    pub(crate) allowed: &'static str,
}

impl FromStr for Task {
    type Err = UnknownVariant;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "transcribe" => Ok(Self::Transcribe),
            "translate" => Ok(Self::Translate),
            _ => Err(UnknownVariant { allowed: "transcribe, translate" }),
        }
    }
}

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

impl Format {
    /// Every format, in the order in which messages list them.
    pub const ALL: [Self; 6] = [Self::Json, Self::Text, Self::Srt, Self::VerboseJson, Self::Vtt, Self::DiarizedJson];

    /// Returns the word in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Srt => "srt",
            Self::VerboseJson => "verbose_json",
            Self::Vtt => "vtt",
            Self::DiarizedJson => "diarized_json",
        }
    }

    /// Returns true if an answer in this format is a JSON object.
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::VerboseJson | Self::DiarizedJson)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownVariant;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or(UnknownVariant { allowed: "json, text, srt, verbose_json, vtt, diarized_json" })
    }
}
