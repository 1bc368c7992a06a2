//! The reason why a live run has ended early.

use std::io;
use std::time::Duration;

use super::super::refusal::Refusal;

/// The reason why a live run has ended early. Its text is one line, and quotes neither audio nor transcript nor token.
#[derive(Debug, thiserror::Error)]
pub(super) enum LiveError {
    /// The gateway refuses a request, and would refuse it again.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The gateway has no live sessions.
    #[error("the gateway has no live sessions: {0}")]
    NotLive(Box<Refusal>),
    /// The gateway gives no usable answer for so long.
    #[error("the gateway has given no answer for {}: {reason}", humantime::format_duration(*.time))]
    NoAnswer {
        /// The time.
        time: Duration,
        /// The last reason.
        reason: String,
    },
    /// A session is over of which the rest of a recording cannot be sent to another one.
    #[error(
        "{0}; another session cannot go on in the middle of a recording: sound with --sample-rate can be gone on with"
    )]
    Lost(String),
    /// Sessions are lost again and again.
    #[error("{0}; it was the same with the sessions before")]
    LostAgain(String),
    /// The gateway recognises no speech.
    #[error("the gateway answers from its sandbox, which recognises no speech: it has no provider's key")]
    Sandbox,
    /// The events are larger than this command reads.
    #[error("the events of the gateway have more than {0} bytes")]
    TooLarge(usize),
    /// Standard output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
}
