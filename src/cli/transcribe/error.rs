//! The reason why a recording has no transcript.

use std::io;
use std::time::Duration;

use super::heard::Heard;
use super::refusal::Refusal;

/// The reason why a recording has no transcript. Its text is one line, and quotes neither audio nor transcript nor token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TranscribeError {
    /// The recording cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The gateway cannot be reached, or gave no answer.
    #[error("the gateway gave no answer: {0}")]
    NoAnswer(String),
    /// The gateway refused the request, or failed.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The gateway refused a request that could be sent again, if its recording could be read again.
    #[error("{0}; it is not sent again: what is no regular file can be read only once")]
    RefusedOnce(Box<Refusal>),
    /// The gateway refused the request for a reason that holds for every other one, too.
    #[error("{0}")]
    RefusedForGood(Box<Refusal>),
    /// The gateway transcribed a part of the recording.
    #[error("{refusal}")]
    Incomplete {
        /// The gateway's error.
        refusal: Box<Refusal>,
        /// The transcript of that part, in the format that was asked for.
        heard: Heard,
        /// The parts that are missing, for people.
        missing: String,
    },
    /// The answer ended before the transcript did.
    #[error("the connection to the gateway broke before the transcript was complete")]
    Broken,
    /// The answer is larger than this command reads.
    #[error("the answer of the gateway has more than {0} bytes")]
    TooLarge(usize),
    /// The answer is none of this API.
    #[error("the answer is no transcript: is the address that of a Voxgate gateway?")]
    NoTranscript,
    /// The time that `--timeout` allows has passed.
    #[error("it took longer than {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The gateway had the whole recording, and gave no answer within the time that is allowed without `--timeout`.
    #[error("the gateway gave no answer in {}; --timeout allows more", humantime::format_duration(*.0))]
    Late(Duration),
    /// The gateway fell silent in the middle of a stream.
    #[error("the gateway was silent for {}", humantime::format_duration(*.0))]
    Silent(Duration),
    /// The gateway answered from its sandbox, which recognises no speech.
    #[error("the gateway answers from its sandbox, which recognises no speech: it has no provider's key")]
    Sandbox,
    /// The transcript cannot be written.
    #[error("the transcript cannot be written to {file}: {error}")]
    Unwritable {
        /// The file.
        file: String,
        /// The error of the system.
        error: io::Error,
    },
}
