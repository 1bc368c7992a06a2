//! The containers of recordings.

use std::fmt;

/// The containers that the gateway accepts: those that the provider lists, and Apple's two.
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
    /// AIFF and AIFF-C.
    Aiff,
    /// Apple's Core Audio Format.
    Caf,
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
            Self::Aiff => "aiff",
            Self::Caf => "caf",
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
            Self::Aiff => "audio.aiff",
            Self::Caf => "audio.caf",
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
            Self::Aiff => "audio/aiff",
            Self::Caf => "audio/x-caf",
        }
    }

    /// Returns the lowest bit rate, in bits per second, of audio in this container with an unknown codec.
    pub(super) fn min_bits_per_second(self) -> u64 {
        match self {
            Self::Mp3 => 8_000,
            Self::Flac => 16_000,
            // Opus and Speex in pauses.
            Self::Wav | Self::Ogg | Self::Mp4 | Self::Webm | Self::Caf => 2_000,
            // IMA 4:1 with one channel at 8 kHz, the thinnest sound in it.
            Self::Aiff => 13_000,
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
