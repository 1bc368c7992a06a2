//! A request to forward a job.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer_budget::AnswerBudget;
use super::piece_group::PieceGroup;
use super::providers::Providers;
use crate::intake::Job;
use crate::models::{AttemptLog, TargetChain};
use crate::telemetry::traces::Span;

/// The deadline of a request.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// The time by which the whole answer must have arrived.
    pub whole: Instant,
    /// The time by which the beginning of the answer must have arrived: the first event of a stream, or the whole of any
    /// other answer. Not after `whole`; earlier if the client sets a shorter deadline.
    pub beginning: Instant,
}

/// The part of a recording that a job holds.
#[derive(Debug, Clone)]
pub enum Portion {
    /// The whole recording. A client waits for this answer, so that it is refused at once if no provider is usable.
    Whole,
    /// A piece of a recording. It waits for a provider that is over its limit or fails, since others of its kind wait
    /// too, and what they have heard must not be lost.
    Piece {
        /// The longest time of one attempt, from when the piece is sent to the end of its answer.
        attempt_timeout: Duration,
        /// The pieces of the same recording.
        group: PieceGroup,
    },
}

impl Portion {
    /// Returns the pieces of the same recording.
    pub(super) fn group(&self) -> Option<&PieceGroup> {
        match self {
            Self::Whole => None,
            Self::Piece { group, .. } => Some(group),
        }
    }

    /// Returns the pieces of the same recording if this one waits for providers for their sake.
    pub(super) fn waiting_group(&self) -> Option<&PieceGroup> {
        self.group().filter(|group| !group.is_only_one())
    }
}

/// A job to be forwarded, with the state that forwarding needs.
#[derive(Debug)]
pub struct ForwardRequest {
    /// The job.
    pub job: Job,
    /// The model entries that can do it.
    pub targets: TargetChain,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The request id that providers receive.
    pub request_id: String,
    /// The deadline.
    pub deadline: Deadline,
    /// The part of the recording that the job holds.
    pub portion: Portion,
    /// The size of this answer, and of those for other pieces of the same recording.
    pub answers: AnswerBudget,
    /// The log of the attempts.
    pub log: AttemptLog,
    /// The trace span of this step; it ends when this value is dropped.
    pub span: Span,
}

impl ForwardRequest {
    /// Returns the deadline of an attempt that begins now. That of a piece holds to the end of its answer, also if it is a
    /// stream: other pieces wait to be joined.
    pub(super) fn attempt_deadline(&self) -> Deadline {
        match self.portion {
            Portion::Whole => self.deadline,
            Portion::Piece { attempt_timeout, .. } => {
                let end = self.deadline.beginning.min(Instant::now() + attempt_timeout);
                Deadline { whole: end, beginning: end }
            }
        }
    }

    /// Returns the deadline that the client has set for the pieces of its recording, if it is earlier than the gateway's.
    pub(super) fn client_deadline(&self) -> Option<Instant> {
        let Deadline { whole, beginning } = self.deadline;
        (matches!(self.portion, Portion::Piece { .. }) && beginning < whole).then_some(beginning)
    }
}
