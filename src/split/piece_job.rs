//! The job that a piece of sound is at its provider.

use crate::domain::Length;
use crate::intake::Job;
use crate::intake::media::{Container, MediaInfo};
use crate::speech::{Encoding, Piece};

/// Returns the job of a piece: `job` with the piece for its recording.
pub fn job_of_piece(job: &Job, piece: &Piece) -> Job {
    let container = match piece.encoding {
        Encoding::Flac => Container::Flac,
        Encoding::Wav => Container::Wav,
    };
    let media = MediaInfo {
        container,
        is_fragmented: false,
        codec: None,
        length: Length::Measured(piece.span.length().audio_ms()),
        bytes: piece.audio.length(),
    };
    Job { audio: piece.audio.clone(), media, ..job.clone() }
}
