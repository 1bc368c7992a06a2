//! The names of the options that the gateway knows.

use super::words::words;

/// An option of a request that the gateway knows. `openapi.yaml` documents the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptionName {
    /// `model`
    Model,
    /// `response_format`
    ResponseFormat,
    /// `stream`
    Stream,
    /// `language`
    Language,
    /// `languages`: a list.
    Languages,
    /// `keywords`: a list.
    Keywords,
    /// `prompt`
    Prompt,
    /// `temperature`
    Temperature,
    /// `include`: a list.
    Include,
    /// `timestamp_granularities`: a list.
    TimestampGranularities,
    /// `chunking_strategy`: a word or an object.
    ChunkingStrategy,
    /// `known_speaker_names`: a list.
    KnownSpeakerNames,
    /// `known_speaker_references`: a list.
    KnownSpeakerReferences,
}

words!(OptionName {
    Model = "model",
    ResponseFormat = "response_format",
    Stream = "stream",
    Language = "language",
    Languages = "languages",
    Keywords = "keywords",
    Prompt = "prompt",
    Temperature = "temperature",
    Include = "include",
    TimestampGranularities = "timestamp_granularities",
    ChunkingStrategy = "chunking_strategy",
    KnownSpeakerNames = "known_speaker_names",
    KnownSpeakerReferences = "known_speaker_references",
});

impl OptionName {
    /// Returns true if the option has one value, and is neither a list nor an object.
    pub const fn is_single(self) -> bool {
        use OptionName as O;
        matches!(self, O::Model | O::ResponseFormat | O::Stream | O::Language | O::Prompt | O::Temperature)
    }

    /// Returns true if the option is a list whose items belong to those of another by their positions.
    pub const fn is_paired(self) -> bool {
        matches!(self, Self::KnownSpeakerNames | Self::KnownSpeakerReferences)
    }

    /// Returns true if not every model supports the option, so that a model's entry can list it.
    pub const fn depends_on_model(self) -> bool {
        !matches!(self, Self::Model | Self::ResponseFormat | Self::Stream)
    }
}
