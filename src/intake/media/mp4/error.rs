//! The reasons to refuse an MP4 file.

use super::super::{Container, MediaError};

/// Returns the error for a file that ends in its index.
pub(super) fn cut_off() -> MediaError {
    MediaError::Unfinished { container: Container::Mp4, missing: "its index (moov) is cut off" }
}

/// Returns the error for a feature that hides the length of the audio.
pub(super) fn feature(what: &'static str) -> MediaError {
    MediaError::Feature { container: Container::Mp4, what }
}

/// Returns the error for a box that is too short for its fields. Some players read beyond the end of such a box.
pub(super) fn too_short() -> MediaError {
    feature("has a box that is too short for what it holds")
}
