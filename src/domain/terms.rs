//! The words of the trade that more than one room uses: what is asked for, and how the answer is written.

use std::fmt;
use std::str::FromStr;

/// The target of log lines for who watches over the gateway: what was given out, taken away or changed, by whom.
pub const AUDIT: &str = "voxgate::audit";

/// What is to be done with the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Text in the language that is spoken.
    Transcribe,
    /// Text in English, whatever is spoken.
    Translate,
}

impl Task {
    /// The last part of the route and of the provider's path.
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

/// A word that is none of the allowed ones.
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

/// `response_format`: how the provider writes its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `{"text": …}`
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

    /// The word on the wire.
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

    /// Whether an answer in this format is a JSON object.
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
