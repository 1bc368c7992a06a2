//! The JSON form of a request: options and the audio as base64, read as the body arrives.
//!
//! [`Sieve`] takes the audio out of the text and decodes it, so the recording is never held as text. A small JSON
//! document remains, with an empty string in place of the audio. `serde_json` alone parses that document and checks
//! numbers, nesting, UTF-8 and everything else that makes JSON well-formed.

mod audio;
mod options;
mod sieve;

use std::fmt;

use crate::intake::base64::Base64Error;

pub use sieve::Sieve;

/// The two fields in which a request may have its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioField {
    /// `audio`, a member of the body.
    Audio,
    /// `data`, a member of the object `input_audio`.
    InputAudioData,
}

impl AudioField {
    /// Returns the field's name as an error's `param` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::InputAudioData => "input_audio.data",
        }
    }
}

impl fmt::Display for AudioField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}

/// An error in a JSON body. Clients see the messages, which name fields and positions, never content.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The body is empty or only whitespace.
    #[error("the body is empty; it must be a JSON object with the audio as base64 in `audio`")]
    Empty,
    /// The body is another JSON value.
    #[error("the body must be a JSON object, not {came}")]
    NotAnObject {
        /// The kind of the value, with its article.
        came: &'static str,
    },
    /// The body ends before its closing brace.
    #[error("the JSON body ends before it is complete")]
    CutShort,
    /// The body ends within the audio.
    #[error("the JSON body ends in the middle of {field}")]
    AudioCutShort {
        /// The field that holds the audio.
        field: AudioField,
    },
    /// The body is not JSON. The position refers to the text without the audio, which equals the client's text up to
    /// the audio.
    #[error("the body is not valid JSON: {0} (counted as if the audio were an empty string)")]
    Malformed(serde_json::Error),
    /// The text beside the audio is too large.
    #[error(
        "the JSON body without its audio is larger than the {limit} bytes allowed; the audio belongs in `audio`, or in \
         `input_audio.data`"
    )]
    TooLarge {
        /// The maximum size in bytes.
        limit: usize,
    },
    /// An option is given twice. Without this error one value would silently win.
    #[error("`{name}` is given more than once")]
    Repeated {
        /// The option's name, shortened if it is very long.
        name: String,
    },
    /// The body has no recording.
    #[error(
        "the body has no audio: give it as base64 in `audio`, or in `input_audio.data`{}",
        .misplaced.as_ref().map(|name| format!(", not in `{name}`")).unwrap_or_default()
    )]
    AudioMissing {
        /// A member whose name suggests audio; shortened if the name is very long.
        misplaced: Option<String>,
    },
    /// The body has two recordings.
    #[error("the body has audio in {first} and again in {second}; one recording is taken")]
    AudioRepeated {
        /// The field that holds the first recording.
        first: AudioField,
        /// The field that holds the second recording.
        second: AudioField,
    },
    /// The audio field has a value that cannot hold base64.
    #[error("{field} must be a string of base64, not {came}")]
    AudioNotString {
        /// The audio field.
        field: AudioField,
        /// The kind of the value, with its article.
        came: &'static str,
    },
    /// `input_audio` is not an object.
    #[error("`input_audio` must be an object with the base64 in its `data`, not {came}")]
    InputAudioNotObject {
        /// The kind of the value, with its article.
        came: &'static str,
    },
    /// The audio contains a raw control character, most often a line break from an encoder that wraps lines.
    #[error(
        "{field} has a raw control character (0x{byte:02x}), which JSON does not allow in a string; if it is a line \
         break, encode the audio without wrapping, or write \\n"
    )]
    ControlCharacter {
        /// The field that holds the audio.
        field: AudioField,
        /// The control character.
        byte: u8,
    },
    /// A backslash precedes a character that forms no JSON escape sequence.
    #[error("{field} has an escape sequence that JSON does not know")]
    UnknownEscape {
        /// The field that holds the audio.
        field: AudioField,
    },
    /// A `data:` URL is not base64, or has too many bytes before its comma.
    #[error(
        "{field} begins with `data:` but not as data:<type>;base64,<base64>, with at most {limit} ASCII characters up \
         to the comma"
    )]
    DataUrl {
        /// The field that holds the audio.
        field: AudioField,
        /// The maximum number of bytes before the base64.
        limit: usize,
    },
    /// The text is not base64. Offsets count from the start of the base64, after the comma of a `data:` URL.
    #[error("{field} is not valid base64: {fault}")]
    NotBase64 {
        /// The field that holds the audio.
        field: AudioField,
        /// The fault in the base64.
        fault: Base64Error,
    },
}

/// Returns the kind of value that begins with this byte, with its article, for a message.
fn kind_of_value(first: u8) -> &'static str {
    match first {
        b'"' => "a string",
        b'{' => "an object",
        b'[' => "an array",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        b'-' | b'0'..=b'9' => "a number",
        _ => "something that is not JSON",
    }
}

#[cfg(test)]
mod tests;
