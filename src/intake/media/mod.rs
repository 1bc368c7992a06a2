//! What kind of recording is this, and how long is it?
//!
//! Names and content types are the client's word; only the bytes are believed here. [`inspect`] tells the container by its
//! first bytes and the length by walking its packets without decoding them. Lengths that a header states are not used:
//! a header that lies would make a long recording cheap. Where packets cannot be walked, the length is a bound.
//!
//! - `detect`: the container by its first bytes; `describe`: what it is instead, in words; `players`: whether players take it
//!   for the same
//! - `reader`: shows a demuxer the recording, window by window, within a `budget` of processor time
//! - `demux`: one container each: packets out of bytes; `mp4` reads the tables that say where its packets are
//! - `codec`: how long a packet plays, by its own bytes
//! - `tally`: adds it up
//! - [`claim`]: what the beginning of a recording says, for those that are still arriving

mod budget;
mod claim;
mod codec;
mod demux;
mod describe;
mod detect;
mod mp4;
mod players;
mod reader;
mod tally;
#[cfg(test)]
mod tests;

pub use crate::domain::Length;
pub use claim::{Claim, claim};
pub use codec::Codec;

use std::fmt;
use std::io::{Read, Seek};

use thiserror::Error;

use budget::Budget;
use reader::{Ended, Reader};
use tally::Tally;

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

    /// The fewest bits a second that sound in this container takes, where its codec is not known.
    fn min_bits_per_second(self) -> u64 {
        match self {
            Self::Mp3 => 8_000,
            Self::Flac => 16_000,
            // Opus and Speex in pauses.
            Self::Wav | Self::Ogg | Self::Mp4 | Self::Webm => 2_000,
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
    /// One thing by its first bytes, and another to those that play it.
    #[error("the {container} file is {found} as well, and players differ about which; send {TAKEN}")]
    TwoFormats {
        /// The container by its first bytes.
        container: Container,
        /// What it is taken for, in words.
        found: &'static str,
    },
    /// Sound that is known, and whose length cannot be counted.
    #[error("the {container} file's audio is encoded as {codec}, which is not supported; send {TAKEN}")]
    Codec {
        /// The container that was found.
        container: Container,
        /// The codec, by its usual name, or the container's own code for it.
        codec: String,
    },
    /// Something in the container that hides how long the sound is.
    #[error("the {container} file {what}, which is not supported")]
    Feature {
        /// The container that was found.
        container: Container,
        /// What it does, as in "compresses its track's packets (zlib)".
        what: &'static str,
    },
    /// A recording that was cut off before what it cannot be played without.
    #[error("the {container} file was not finished: {missing}")]
    Unfinished {
        /// The container that was found.
        container: Container,
        /// What is not there, as in "its index (moov) is missing".
        missing: &'static str,
    },
    /// An audio track in which nothing plays.
    #[error("the {container} file holds no sound")]
    NoSound {
        /// The container that was found.
        container: Container,
    },
    /// More audio tracks than any recording has.
    #[error("the {container} file has more than {allowed} audio tracks")]
    TooManyTracks {
        /// The container that was found.
        container: Container,
        /// How many it may have.
        allowed: usize,
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

const TAKEN: &str = "flac, m4a, mov, mp3, mp4, mpga, oga, ogg, opus, wav or webm";

/// Tells what the recording is and how long it plays. `bytes` is its whole size; reading starts at its first byte.
///
/// This blocks and computes: it may read the whole recording, and use the processor for as long as [`budget`] allows.
pub fn inspect<S>(mut source: S, bytes: u64) -> Result<MediaInfo, MediaError>
where
    S: Read + Seek,
{
    if bytes == 0 {
        return Err(MediaError::Empty);
    }
    let detected = detect::detect(&mut source, bytes)?;
    let container = detected.container;
    let mut budget = Budget::for_bytes(bytes);
    let mut tally = Tally::new(container);
    let ended = match detected.demuxer(bytes) {
        Some(mut demuxer) => {
            Reader::new(&mut source, detected.start, bytes)?.run(demuxer.as_mut(), &mut tally, &mut budget)?
        }
        None => mp4::measure(&mut source, bytes, &mut tally, &mut budget)?,
    };
    if let Ended::OverBudget { left } = ended {
        tally.leave_unseen(left, bytes.saturating_sub(left));
    }
    let (codec, length) = tally.conclude()?;
    Ok(MediaInfo { container, codec, length, bytes })
}
