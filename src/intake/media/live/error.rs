//! The reasons to refuse the bytes of a live recording.

use thiserror::Error;

use crate::intake::media::{Container, MediaError};

/// The containers that a live recording may have.
const TAKEN: &str = "send consecutive pieces of one recording as WebM, Ogg, MP4 in fragments or WAV";

/// The reason to refuse the bytes of a live recording.
#[derive(Debug, Error)]
pub enum LiveMediaError {
    /// A recording that begins as something else.
    #[error("the audio begins as {found}; {TAKEN}")]
    Beginning {
        /// The name of what it is.
        found: &'static str,
    },
    /// Bytes that do not continue the recording.
    #[error("the bytes do not continue the {container} recording before them; {TAKEN}")]
    NoContinuation {
        /// The container of the recording.
        container: Container,
    },
    /// A packet, or a part of the header, that is larger than any recorder writes.
    #[error("the {container} recording has an element that is larger than any recorder writes; {TAKEN}")]
    TooLarge {
        /// The container of the recording.
        container: Container,
    },
    /// An error of the container.
    #[error("{0}; {TAKEN}")]
    Container(#[source] MediaError),
}
