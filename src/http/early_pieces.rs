//! Pieces of a recording that is still arriving: what nothing later can change goes to a provider at once.
//!
//! That is so where the body is the recording alone, so that the options are final, and where the permit is charged for
//! the length that the recording claims. It is cut as its bytes come, as far as the claim goes; its end waits for the
//! measurement. With the whole recording measured, the charge is corrected, and the rest is cut and sent:
//!
//! - As long as claimed, or shorter: the permit covers it.
//! - Longer: the permit is revised. If the caller's limits do not allow that, the request ends here.
//! - Nothing was sent yet, and the recording turns out to be something else: the request begins anew.
//!
//! The room of the pieces in the spool grows with what is cut. Once the recording is measured, all of it is reserved. If
//! that is refused after pieces were sent, the request goes on with the room that it finds.
//!
//! However the request ends, what a provider heard, or had whole, is charged.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::dispatch::{Admitted, Dispatch, InFlight};
use super::early_answer::EarlyAnswer;
use super::error::{ApiError, ErrorCode};
use super::pieces::ToBeMeasured;
use crate::domain::terms::Format;
use crate::exchange::Exchange;
use crate::intake::{HeldJob, IntakeError, Job, UploadRest};
use crate::models::TargetChain;
use crate::telemetry::traces::Step;

/// A recording whose pieces go out while it arrives.
pub(super) struct EarlyPieces<'a> {
    dispatch: &'a Dispatch<'a>,
    // Dropped first: a piece on its way is cancelled before the permit is settled.
    answer: EarlyAnswer,
    exchange: Exchange,
    events: bool,
    format: Format,
    /// The job as its beginning claims it to be.
    claimed: Job,
    targets: TargetChain,
    to_be_measured: ToBeMeasured,
    /// True if the pieces cannot go on.
    has_failed: bool,
}

impl<'a> EarlyPieces<'a> {
    /// Admits a job by its claim, and begins to cut and send what has come of its recording; `None` if the claim does not
    /// admit it.
    pub(super) async fn begin(dispatch: &'a Dispatch<'a>, job: Job, targets: TargetChain) -> Option<Self> {
        let plan = targets.pieces?;
        let Admitted { targets, mut exchange, room } = dispatch.admit_to(&job, targets).await.ok()?;
        let room = room?;
        let attempts = exchange.begin_pieces(&targets.requested);
        let (events, format) = (job.options.streams(), job.options.format());
        let mut recording = dispatch.recording(job.clone(), targets.clone(), plan, attempts);
        let to_be_measured = recording.measured_later(&room);
        let answer = recording.transcribe(dispatch.context.state(), room, Rc::clone(&dispatch.send));
        Some(Self {
            dispatch,
            answer: EarlyAnswer::new(answer),
            exchange,
            events,
            format,
            claimed: job,
            targets,
            to_be_measured,
            has_failed: false,
        })
    }

    /// Sends pieces while the upload goes on, and what is left of the recording once it is measured.
    pub(super) async fn finish(mut self, rest: UploadRest<'_>) -> Result<InFlight, ApiError> {
        let whole = match self.receive(rest).await {
            Ok(Some(whole)) => whole,
            Ok(None) => return Ok(self.into_in_flight()),
            Err(error @ IntakeError::CutShort) => return Err(ApiError::from(error)),
            Err(error) => return Err(self.give_up(error.into())),
        };
        let mut job = whole.job().clone();
        job.default_stream(self.dispatch.prefers_events);
        self.dispatch.context.record().job(&job);
        if !self.is_anything_sent() && !self.is_as_claimed(&job)? {
            return self.begin_anew(whole).await;
        }
        if let Err(error) = self.charge_as_measured(&job).await {
            return Err(self.give_up(error));
        }
        self.to_be_measured.set(&self.dispatch.context.state().settings, job.media);
        // The cutting holds its own handle to the recording.
        drop(whole.release());
        Ok(self.into_in_flight())
    }

    /// Reads the rest of the upload while pieces are cut, sent and heard. Returns `None` if the answer is an error, whatever
    /// follows.
    async fn receive(&mut self, rest: UploadRest<'_>) -> Result<Option<HeldJob>, IntakeError> {
        let mut whole = pin!(rest.finish());
        poll_fn(|cx| {
            // The upload is polled first, since an upload that breaks off also breaks the cutting.
            if let Poll::Ready(whole) = whole.as_mut().poll(cx) {
                return Poll::Ready(whole.map(Some));
            }
            self.has_failed = self.has_failed || self.answer.poll_failure(cx).is_ready();
            // Early bytes can be mistaken for another format. While nothing was sent, the whole recording decides.
            if self.has_failed && self.is_anything_sent() { Poll::Ready(Ok(None)) } else { Poll::Pending }
        })
        .await
    }

    /// Returns true if a piece has gone out.
    fn is_anything_sent(&self) -> bool {
        self.exchange.attempts().pieces().is_some_and(|pieces| !pieces.is_empty())
    }

    /// Returns true if the pieces can go on: the complete job is the one that its beginning claimed.
    fn is_as_claimed(&self, job: &Job) -> Result<bool, ApiError> {
        let Self { dispatch, claimed, targets, has_failed, .. } = self;
        if *has_failed || !job.matches_claim(claimed) {
            return Ok(false);
        }
        Ok(dispatch.context.state().admission.targets(dispatch.caller, job)?.are(targets))
    }

    /// Makes the permit cover the measured recording. The way of its pieces stays as it was chosen.
    async fn charge_as_measured(&mut self, job: &Job) -> Result<(), ApiError> {
        let is_anything_sent = self.is_anything_sent();
        let Self { dispatch, exchange, claimed, targets, to_be_measured, .. } = self;
        let (context, admission) = (dispatch.context, &dispatch.context.state().admission);
        if job.media.container != claimed.media.container {
            let [claimed, found] = [claimed, job].map(|job| job.media.container);
            let message = format!("The recording began like a {claimed} file, and is a {found} file.");
            return Err(ApiError::new(ErrorCode::InvalidAudio, message).param("file"));
        }
        // Refuses a recording that is too long for the caller or the gateway.
        admission.targets(dispatch.caller, job)?;
        if let Err(refused) = to_be_measured.reserve_room(job.media)
            && !is_anything_sent
        {
            return Err(IntakeError::NoRoom(refused).into());
        }
        let pieces = dispatch.planned_pieces(job, targets);
        if admission.covers(exchange.permit(), targets, job, pieces) {
            exchange.measured(job.billed_length(), job.options.text_bytes());
            return Ok(());
        }
        let request_id = context.record().request_id();
        let to_admit = dispatch.to_admit(job, targets, &request_id);
        Ok(context.trace().during(Step::Admit, admission.revise(&exchange.permit().charge(), to_admit)).await?)
    }

    /// Admits the whole job in place of the claimed one, of which nothing was sent, and sends it.
    async fn begin_anew(self, whole: HeldJob) -> Result<InFlight, ApiError> {
        let Self { dispatch, answer, mut exchange, .. } = self;
        drop::<EarlyAnswer>(answer);
        exchange.withdraw();
        dispatch.context.record().not_cut();
        let mut job = whole.release();
        job.default_stream(dispatch.prefers_events);
        let targets = dispatch.context.state().admission.targets(dispatch.caller, &job)?;
        let admitted = dispatch.readmit(&job, targets, exchange.into_permit()).await?;
        Ok(dispatch.forward(job, admitted))
    }

    /// Cancels what is under way, and ends the request with an error. What was heard is charged.
    fn give_up(self, error: ApiError) -> ApiError {
        let is_anything_sent = self.is_anything_sent();
        let Self { answer, mut exchange, .. } = self;
        drop::<EarlyAnswer>(answer);
        exchange.failed();
        if is_anything_sent { error.after_pieces_were_sent() } else { error }
    }

    fn into_in_flight(self) -> InFlight {
        let Self { answer, exchange, events, format, .. } = self;
        InFlight { events, format, exchange, forwarding: answer.into_transcript() }
    }
}
