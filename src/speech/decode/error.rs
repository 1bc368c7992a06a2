//! The reasons that a recording cannot be decoded.

use std::io;

use thiserror::Error;

use crate::intake::media::{Container, MediaError};

/// The error of a recording that cannot be decoded.
#[derive(Debug, Error)]
pub enum SoundError {
    /// A recording that the decoder does not understand whole. It may go on as it is where a provider can take it.
    #[error("the {container} file's audio ({codec}) cannot be decoded: {reason}")]
    NotUnderstood {
        /// The container of the recording.
        container: Container,
        /// The short name of the codec, or "unknown".
        codec: String,
        /// The reason.
        reason: Reason,
    },
    /// A recording that is still arriving, of which the next bytes have not come. [`SoundReader::next`] goes on once they
    /// have.
    ///
    /// [`SoundReader::next`]: super::SoundReader::next
    #[error("the next bytes of the recording have not arrived")]
    NotArrived,
    /// A failure to read the recording back, or a client that has gone.
    #[error("the recording could not be read")]
    Io(#[source] io::Error),
}

/// The reason that a recording is not understood.
#[derive(Debug, Error)]
pub enum Reason {
    /// A codec without a decoder.
    #[error("there is no decoder for it")]
    Codec,
    /// A sample rate beyond 8 to 192 kHz.
    #[error("its rate is {rate} Hz, and 8000 to 192000 Hz can be decoded")]
    Rate {
        /// The number of samples a second.
        rate: u32,
    },
    /// More damaged packets than a recording may have.
    #[error("more than 2 % of it, or ten seconds in a row, are damaged")]
    Damaged,
    /// A decoded length below the measured one.
    #[error("only {decoded_ms} of {measured_ms} ms could be decoded")]
    TooShort {
        /// The decoded length in milliseconds.
        decoded_ms: u64,
        /// The measured length in milliseconds.
        measured_ms: u64,
    },
    /// A decoded length above the measured one.
    #[error("it decodes to more than the {measured_ms} ms that were measured")]
    TooLong {
        /// The measured length, or its upper bound, in milliseconds.
        measured_ms: u64,
    },
    /// A recording without a sample.
    #[error("it holds no sound")]
    NoSound,
    /// A feature of the container or the codec that the decoder lacks.
    #[error("it {0}")]
    Feature(&'static str),
    /// An error of the container.
    #[error("{0}")]
    Container(#[source] MediaError),
}
