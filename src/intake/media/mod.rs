//! What kind of recording is this, and how long is it?
//!
//! Names and content types are the client's word; only the bytes are believed here. [`inspect`] tells the container by its
//! first bytes and the length by walking its packets without decoding them. Lengths that a header states are not used:
//! a header that lies would make a long recording cheap. Where packets cannot be walked, the length is a bound.
//!
//! - `sniff`: the container by its first bytes, or what it is instead
//! - `wav`: uncompressed audio, by arithmetic
//! - `walk`: everything else, packet by packet; `meter` adds up one track of it
//! - `packet`: how long one packet plays; `mpeg` and `opus` know the details
//! - `bound`: how long so many bytes could be at most
//! - `gauge`: the reader that knows how far the walk has come
//! - [`claim`]: what the beginning of a recording says, for those that are still arriving

mod bound;
mod claim;
mod gauge;
mod meter;
mod mpeg;
mod opus;
mod packet;
mod sniff;
#[cfg(test)]
mod tests;
mod walk;
mod wav;

pub use crate::units::Length;
pub use claim::{Claim, claim};

use std::fmt;
use std::io::{Read, Seek};

use thiserror::Error;


/// The containers that the gateway takes: those that the provider lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// RIFF or RF64 WAVE.
    Wav,
    /// MPEG audio frames, layer II or III, bare or after an ID3 tag.
    Mp3,
    /// Native FLAC.
    Flac,
    /// Ogg: Opus, Vorbis or FLAC.
    Ogg,
    /// The ISO base media family: mp4, m4a, mov, whole or in fragments.
    Mp4,
    /// Matroska and its part for the web.
    Webm,
}

impl Container {
    /// A short name for logs and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
        }
    }

    /// A file name whose extension a provider takes for this container.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Wav => "audio.wav",
            Self::Mp3 => "audio.mp3",
            Self::Flac => "audio.flac",
            Self::Ogg => "audio.ogg",
            Self::Mp4 => "audio.mp4",
            Self::Webm => "audio.webm",
        }
    }

    /// The content type of an audio file in this container.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Flac => "audio/flac",
            Self::Ogg => "audio/ogg",
            Self::Mp4 => "audio/mp4",
            Self::Webm => "audio/webm",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the audio is encoded, by its usual short name: `pcm_s16le`, `mp3`, `opus`, `aac` …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Codec(&'static str);

impl Codec {
    /// The short name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a recording was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaInfo {
    /// What holds the audio.
    pub container: Container,
    /// How it is encoded, where that could be read.
    pub codec: Option<Codec>,
    /// How long it plays: the longest of its audio tracks.
    pub length: Length,
    /// The size of the whole file.
    pub bytes: u64,
}

/// Why a file is not taken.
#[derive(Debug, Error)]
pub enum MediaError {
    /// Not a single byte.
    #[error("the audio file is empty; send {TAKEN}")]
    Empty,
    /// Nothing that is known here.
    #[error("the file is not audio in a known format ({bytes} bytes); send {TAKEN}")]
    NotAudio {
        /// The size of the file.
        bytes: u64,
    },
    /// Something that is known, and not taken.
    #[error("the file is {found}; send {TAKEN}")]
    Unsupported {
        /// What it is, in words.
        found: &'static str,
    },
    /// The right container without audio in it.
    #[error("the {container} file has no audio track")]
    NoAudioTrack {
        /// The container that was found.
        container: Container,
    },
    /// An index that plays the same bytes again and again. There is no end to how long such a file could be.
    #[error("the {container} file is malformed: its packets overlap")]
    Overlapping {
        /// The container that was found.
        container: Container,
    },
    /// The recording could not be read back.
    #[error("the audio could not be read")]
    Read(#[from] std::io::Error),
}

const TAKEN: &str = "flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm";

/// Tells what the recording is and how long it plays. `bytes` is its whole size; reading starts at its first byte.
///
/// This blocks: it may read the whole recording.
pub fn inspect<S>(mut source: S, bytes: u64) -> Result<MediaInfo, MediaError>
where
    S: Read + Seek + Send + Sync + 'static,
{
    if bytes == 0 {
        return Err(MediaError::Empty);
    }
    let found = sniff::sniff(&mut source, bytes)?;
    let (codec, length) = match found.container {
        Container::Wav => wav::measure(source, bytes)?,
        _ => walk::measure(source, &found)?,
    };
    Ok(MediaInfo { container: found.container, codec, length, bytes })
}
