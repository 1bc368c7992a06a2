//! Answers that cannot be joined.

/// The error of a piece's answer that is not the transcript that was asked for. The joiner is as it was before, so the piece
/// can be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// An answer in a JSON format that is no JSON object.
    #[error("the provider's answer for a piece is not a JSON object")]
    NotJson,
    /// A JSON answer without `text`.
    #[error("the provider's answer for a piece has no text")]
    NoText,
    /// A segment or word without a start or an end.
    #[error("the provider's answer for a piece has a segment or a word without times")]
    NoTimes,
    /// An answer with text but without cues, where subtitles were asked for.
    #[error("the provider's answer for a piece has no subtitles")]
    NoCues,
    /// An answer with more text, segments, words or cues than can be said in the piece's time.
    #[error("the provider's answer for a piece is longer than can be said in its time")]
    TooLong,
    /// An answer that does not begin with what a broken stream of the same piece gave the client.
    #[error("the provider's second answer for a piece differs from the part of the first that the client has")]
    Differs,
}
