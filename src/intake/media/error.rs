//! The reasons to refuse a recording.

use thiserror::Error;

use super::container::Container;

/// The names of the accepted formats.
const TAKEN: &str = "aiff, caf, flac, m4a, mov, mp3, mp4, mpga, oga, ogg, opus, wav or webm";

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
