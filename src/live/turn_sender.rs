//! The way of one turn to a provider and back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, timeout};

use crate::intake::Job;
use crate::ledger::Charge;
use crate::models::{AttemptLog, Attempts, TargetChain};
use crate::speech::Piece;
use crate::split::{AnswerLimits, PieceAnswer, job_of_piece, read_answer};
use crate::telemetry::traces::{Step, Trace};
use crate::upstream::{AnswerBudget, Deadline, ForwardRequest, PieceGroup, Portion, Providers, SendJob, UpstreamError};

/// The time after which a turn without a result is an error, so that the words of later turns pass.
const MAX_TURN_TIME: Duration = Duration::from_secs(30);
/// The largest answer for one turn, in bytes: far more than anybody says in two minutes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The sender of the turns of one session.
pub struct TurnSender {
    /// The job of each turn but for its sound.
    pub job: Job,
    /// The model entries that can do it.
    pub targets: TargetChain,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The attempts of the session.
    pub attempts: Attempts,
    /// The id of the session's request.
    pub request_id: String,
    /// The trace of the session's request.
    pub trace: Trace,
    /// The turns as far as they concern one another.
    pub group: PieceGroup,
    /// Begins to send a job.
    pub send: SendJob,
}

/// The answer for a turn.
pub(super) struct TurnAnswer {
    pub(super) turn: Piece,
    pub(super) answer: Result<PieceAnswer, UpstreamError>,
    pub(super) log: AttemptLog,
    /// The charge that was set aside for the turn.
    pub(super) estimate: Charge,
}

impl TurnSender {
    /// Begins to send a turn, for which `estimate` is set aside.
    pub(super) fn send(&self, turn: Piece, estimate: Charge) -> LocalBoxFuture<'static, TurnAnswer> {
        let job = job_of_piece(&self.job, &turn);
        let log = self.attempts.begin_piece(job.billed_length().upper_bound(), job.options.text_bytes());
        let span = self.trace.begin(Step::Forward);
        span.set("voxgate.piece", i64::from(turn.number));
        let end = Instant::now() + MAX_TURN_TIME;
        let answers = AnswerBudget::new(MAX_ANSWER_BYTES);
        let limits = AnswerLimits { answers: answers.clone(), max_event_bytes: MAX_ANSWER_BYTES };
        let is_json = job.options.format().is_json();
        let reply = (self.send)(ForwardRequest {
            job,
            targets: self.targets.clone(),
            providers: Arc::clone(&self.providers),
            request_id: self.request_id.clone(),
            deadline: Deadline { whole: end, beginning: end },
            portion: Portion::Piece { attempt_timeout: MAX_TURN_TIME, group: self.group.clone() },
            answers,
            log: log.clone(),
            span,
        });
        async move {
            let answered = timeout(MAX_TURN_TIME, async { read_answer(reply.await?.answer, is_json, &limits).await });
            let answer = answered.await.unwrap_or(Err(UpstreamError::Timeout));
            TurnAnswer { turn, answer, log, estimate }
        }
        .boxed_local()
    }
}
