//! The format and the length of a recording.
//!
//! Clients choose names and content types; this module trusts only the bytes. [`inspect`] detects the container from its
//! first bytes and measures the length by walking the packets without decoding them. It ignores lengths that a header
//! states: a false header would make a long recording cheap. Where it cannot walk the packets, the length is an upper bound.
//!
//! - `detect`: detects the container from the first bytes; `describe`: names other formats; `players`: finds files that
//!   players take for another format
//! - `reader`: shows a demuxer the recording, window by window, within a `budget` of processor time
//! - `demux`: splits each container into packets; `mp4` reads the tables that locate its packets
//! - `codec`: computes the duration of a packet from its bytes
//! - `tally`: sums the durations
//! - [`claim`]: reads the length that the beginning of a recording states, while the rest is still arriving

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

/// The containers that the gateway accepts: those that the provider lists.
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
    /// Matroska and its subset ``WebM``.
    Webm,
}

impl Container {
    /// Returns a short name for logs and messages.
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

    /// Returns a file name with an extension that providers accept for this container.
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

    /// Returns the content type of an audio file in this container.
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

    /// Returns the lowest bit rate, in bits per second, of audio in this container with an unknown codec.
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

/// The format, length and size of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaInfo {
    /// The container of the audio.
    pub container: Container,
    /// The codec, if it could be read.
    pub codec: Option<Codec>,
    /// The length of the longest audio track.
    pub length: Length,
    /// The size of the whole file.
    pub bytes: u64,
}

/// The reason to refuse a file.
#[derive(Debug, Error)]
pub enum MediaError {
    /// An empty file.
    #[error("the audio file is empty; send {TAKEN}")]
    Empty,
    /// A file in no known format.
    #[error("the file is not audio in a known format ({bytes} bytes); send {TAKEN}")]
    NotAudio {
        /// The size of the file.
        bytes: u64,
    },
    /// A file in a known format that is not accepted.
    #[error("the file is {found}; send {TAKEN}")]
    Unsupported {
        /// The name of the format.
        found: &'static str,
    },
    /// A file that has one format by its first bytes and another to players.
    #[error("the {container} file is {found} as well, and players differ about which; send {TAKEN}")]
    TwoFormats {
        /// The container by its first bytes.
        container: Container,
        /// The name of the format that players may take it for.
        found: &'static str,
    },
    /// Audio in a known codec whose length cannot be measured.
    #[error("the {container} file's audio is encoded as {codec}, which is not supported; send {TAKEN}")]
    Codec {
        /// The detected container.
        container: Container,
        /// The usual name of the codec, or the container's code for it.
        codec: String,
    },
    /// A feature of the container that hides the length of the audio.
    #[error("the {container} file {what}, which is not supported")]
    Feature {
        /// The detected container.
        container: Container,
        /// A description of the feature, such as "compresses its track's packets (zlib)".
        what: &'static str,
    },
    /// A recording that ends before a part that playback needs.
    #[error("the {container} file was not finished: {missing}")]
    Unfinished {
        /// The detected container.
        container: Container,
        /// A description of the missing part, such as "its index (moov) is missing".
        missing: &'static str,
    },
    /// An audio track without sound.
    #[error("the {container} file holds no sound")]
    NoSound {
        /// The detected container.
        container: Container,
    },
    /// More audio tracks than any recording has.
    #[error("the {container} file has more than {allowed} audio tracks")]
    TooManyTracks {
        /// The detected container.
        container: Container,
        /// The maximum number of audio tracks.
        allowed: usize,
    },
    /// An accepted container without an audio track.
    #[error("the {container} file has no audio track")]
    NoAudioTrack {
        /// The detected container.
        container: Container,
    },
    /// An index that plays the same bytes repeatedly. The length of such a file has no bound.
    #[error("the {container} file is malformed: its packets overlap")]
    Overlapping {
        /// The detected container.
        container: Container,
    },
    /// A failure to read the recording back.
    #[error("the audio could not be read")]
    Read(#[from] std::io::Error),
}

const TAKEN: &str = "flac, m4a, mov, mp3, mp4, mpga, oga, ogg, opus, wav or webm";

/// Returns the format and the length of a recording of `bytes` bytes. Reading starts at its first byte.
///
/// This function blocks: it may read the whole recording and use as much processor time as [`budget`] allows.
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
