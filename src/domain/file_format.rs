//! The file formats of recordings, by the names that model entries and error messages use.

use super::words::words;

/// A file format that a provider takes or does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileFormat {
    /// WAVE.
    Wav,
    /// MPEG audio, layer II or III.
    Mp3,
    /// MP4 with an index of all its samples; m4a and mov too.
    Mp4,
    /// MP4 in fragments, as Safari records it.
    FragmentedMp4,
    /// `WebM` and Matroska.
    Webm,
    /// Ogg.
    Ogg,
    /// Native FLAC.
    Flac,
    /// AIFF and AIFF-C.
    Aiff,
    /// Core Audio Format.
    Caf,
}

words!(FileFormat {
    Wav = "wav",
    Mp3 = "mp3",
    Mp4 = "mp4",
    FragmentedMp4 = "fragmented_mp4",
    Webm = "webm",
    Ogg = "ogg",
    Flac = "flac",
    Aiff = "aiff",
    Caf = "caf",
});
