//! The JSON form of a request: options with the audio among them as base64, read as it arrives.
//!
//! [`Sieve`] takes the audio out of the passing text and decodes it, so that the recording is never held as text. What
//! stays is a small JSON document with an empty string in the place of the audio, and that document is `serde_json`'s
//! business: numbers, nesting, UTF-8, everything that makes JSON well-formed is judged there and nowhere else.

mod audio;
mod options;
mod sieve;

use std::fmt;

use crate::intake::base64::Base64Error;

pub use sieve::Sieve;

/// The two places where a request may have its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioField {
    /// `audio`, a member of the body.
    Audio,
    /// `data`, a member of the object `input_audio`.
    InputAudioData,
}

impl AudioField {
    /// Its name as an error's `param` has it.
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

/// What is wrong with a JSON body. The messages are what a client sees; they name fields and places, never content.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Nothing, or nothing but whitespace.
    #[error("the body is empty; it must be a JSON object with the audio as base64 in `audio`")]
    Empty,
    /// Some other JSON value.
    #[error("the body must be a JSON object, not {came}")]
    NotAnObject {
        /// What came, with its article.
        came: &'static str,
    },
    /// The body ends before its closing brace.
    #[error("the JSON body ends before it is complete")]
    CutShort,
    /// The body ends within the audio.
    #[error("the JSON body ends in the middle of {field}")]
    AudioCutShort {
        /// Where the audio is.
        field: AudioField,
    },
    /// Not JSON. The place is counted in the text that was left, which is the client's own up to the audio.
    #[error("the body is not valid JSON: {0} (counted as if the audio were an empty string)")]
    Malformed(serde_json::Error),
    /// Too much of anything but audio.
    #[error(
        "the JSON body without its audio is larger than the {limit} bytes allowed; the audio belongs in `audio`, or in \
         `input_audio.data`"
    )]
    TooLarge {
        /// The most that is taken.
        limit: usize,
    },
    /// The same option twice, where one would silently win.
    #[error("`{name}` is given more than once")]
    Repeated {
        /// The option; shortened if it is very long.
        name: String,
    },
    /// No recording at all.
    #[error(
        "the body has no audio: give it as base64 in `audio`, or in `input_audio.data`{}",
        .misplaced.as_ref().map(|name| format!(", not in `{name}`")).unwrap_or_default()
    )]
    AudioMissing {
        /// A member that is called as if it were the audio; shortened if its name is very long.
        misplaced: Option<String>,
    },
    /// Two recordings.
    #[error("the body has audio in {first} and again in {second}; one recording is taken")]
    AudioRepeated {
        /// Where the first is.
        first: AudioField,
        /// Where the next is.
        second: AudioField,
    },
    /// A value that cannot hold base64.
    #[error("{field} must be a string of base64, not {came}")]
    AudioNotString {
        /// Where the audio should be.
        field: AudioField,
        /// What came, with its article.
        came: &'static str,
    },
    /// `input_audio` without its inner form.
    #[error("`input_audio` must be an object with the base64 in its `data`, not {came}")]
    InputAudioNotObject {
        /// What came, with its article.
        came: &'static str,
    },
    /// A raw control character, most often the line breaks of an encoder that wraps.
    #[error(
        "{field} has a raw control character (0x{byte:02x}), which JSON does not allow in a string; if it is a line \
         break, encode the audio without wrapping, or write \\n"
    )]
    ControlCharacter {
        /// Where the audio is.
        field: AudioField,
        /// The character.
        byte: u8,
    },
    /// A backslash before something that JSON gives no meaning.
    #[error("{field} has an escape sequence that JSON does not know")]
    UnknownEscape {
        /// Where the audio is.
        field: AudioField,
    },
    /// A `data:` URL that is not base64, or that has too much before its comma.
    #[error(
        "{field} begins with `data:` but not as data:<type>;base64,<base64>, with at most {limit} ASCII characters up \
         to the comma"
    )]
    DataUrl {
        /// Where the audio is.
        field: AudioField,
        /// The most that may stand before the base64.
        limit: usize,
    },
    /// The text is not base64. Offsets count from the beginning of the base64, after the comma of a `data:` URL.
    #[error("{field} is not valid base64: {fault}")]
    NotBase64 {
        /// Where the audio is.
        field: AudioField,
        /// What is wrong with it.
        fault: Base64Error,
    },
}

/// What kind of value begins with this byte, with its article, for a message.
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
