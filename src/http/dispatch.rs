//! The way of a complete job through admission to a provider. [`early`](super::early) has the way of a job whose
//! recording is still arriving.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use super::context::RequestContext;
use super::error::ApiError;
use super::headers::client_timeout::ClientTimeouts;
use super::piece_deadlines::{PieceDeadlines, UploadTime};
use super::pieces::{self, RecordingInPieces};
use crate::admission::{JobToAdmit, Permit, PlannedPieces, Refusal};
use crate::domain::terms::Format;
use crate::exchange::Exchange;
use crate::identity::Caller;
use crate::intake::Job;
use crate::models::{Attempts, PiecePlan, Reason, TargetChain};
use crate::relay::TranscriptFuture;
use crate::split::TranscriptError;
use crate::telemetry::traces::Step;
use crate::upstream::{ForwardRequest, Portion, SendJob};

/// The way on for a recording that its provider refuses as too large or too long.
pub(super) type InPieces = Box<dyn FnOnce() -> TranscriptFuture>;

/// The means to admit and forward the job of one request.
pub(super) struct Dispatch<'a> {
    pub(super) context: &'a RequestContext,
    pub(super) caller: &'a Caller,
    /// The time limits that the client states.
    pub(super) limit: ClientTimeouts,
    /// True if `Accept` asks for events; used where the job's options do not say.
    pub(super) prefers_events: bool,
    /// Begins to send a job to a provider.
    pub(super) send: SendJob,
}

/// An admitted job's exchange, and the models that can do the job.
pub(super) struct Admitted {
    pub(super) targets: TargetChain,
    pub(super) exchange: Exchange,
}

/// An admitted job on its way to a provider.
pub(super) struct InFlight {
    pub(super) events: bool,
    pub(super) format: Format,
    pub(super) exchange: Exchange,
    pub(super) forwarding: TranscriptFuture,
}

impl Dispatch<'_> {
    /// Admits a complete job and forwards it.
    pub(super) async fn dispatch(&self, mut job: Job) -> Result<InFlight, ApiError> {
        job.default_stream(self.prefers_events);
        self.context.record().job(&job);
        let admitted = self.admit(&job).await?;
        Ok(self.forward(job, admitted))
    }

    /// Admits a job by its length.
    pub(super) async fn admit(&self, job: &Job) -> Result<Admitted, ApiError> {
        self.admit_to(job, self.context.state().admission.targets(self.caller, job)?).await
    }

    /// Admits a job that these model entries can do.
    pub(super) async fn admit_to(&self, job: &Job, targets: TargetChain) -> Result<Admitted, ApiError> {
        let admission = &self.context.state().admission;
        pieces::check_room(self.context.state(), self.caller.share_key(), job, &targets)?;
        let admit = async {
            self.context.record().model(&targets.requested);
            let request_id = self.context.record().request_id();
            let permit = admission.admit(self.to_admit(job, &targets, &request_id)).await?;
            Ok::<_, Refusal>(self.admitted(targets, permit))
        };
        Ok(self.context.trace().during(Step::Admit, admit).await?)
    }

    /// Admits the complete job in place of a permit that does not cover it.
    pub(super) async fn readmit(&self, job: &Job, targets: TargetChain, permit: Permit) -> Result<Admitted, ApiError> {
        let admission = &self.context.state().admission;
        let admit = async {
            let request_id = self.context.record().request_id();
            let permit = admission.admit_in_place_of(permit, self.to_admit(job, &targets, &request_id)).await?;
            Ok::<_, Refusal>(self.admitted(targets, permit))
        };
        Ok(self.context.trace().during(Step::Admit, admit).await?)
    }

    fn admitted(&self, targets: TargetChain, permit: Permit) -> Admitted {
        Admitted { targets, exchange: Exchange::new(permit, self.context.record().clone()) }
    }

    pub(super) fn to_admit<'b>(
        &'b self,
        job: &'b Job,
        targets: &'b TargetChain,
        request_id: &'b str,
    ) -> JobToAdmit<'b> {
        let provider = self.context.state().provider_name(&targets.requested);
        let pieces = self.planned_pieces(job, targets);
        JobToAdmit { caller: self.caller, job, targets, provider, request_id, pieces }
    }

    /// Returns the pieces that admission charges for; `None` if the recording goes as it is.
    pub(super) fn planned_pieces(&self, job: &Job, targets: &TargetChain) -> Option<PlannedPieces> {
        let count = targets.pieces?.count(targets.way, job.media.length.upper_bound());
        let time = pieces::max_time(&self.context.state().settings, job.media.length);
        Some(PlannedPieces { count: NonZeroU32::new(count)?, time })
    }

    /// Forwards an admitted job: as it is, or in pieces.
    pub(super) fn forward(&self, job: Job, admitted: Admitted) -> InFlight {
        let Admitted { targets, mut exchange } = admitted;
        let (events, format) = (job.options.streams(), job.options.format());
        let forwarding = match targets.pieces {
            Some(plan) => {
                let attempts = exchange.begin_pieces(&targets.requested);
                let recording = self.recording(job, targets, plan, attempts);
                recording.transcribe(self.context.state(), Rc::clone(&self.send))
            }
            None => self.forward_as_it_is(job, targets, &mut exchange),
        };
        InFlight { events, format, exchange, forwarding }
    }

    fn forward_as_it_is(&self, job: Job, targets: TargetChain, exchange: &mut Exchange) -> TranscriptFuture {
        let (state, record) = (self.context.state(), self.context.record());
        let log = exchange.begin_forwarding(&targets.requested);
        let sent = (!job.audio.is_arriving()).then(Instant::now);
        let in_pieces = self.in_pieces_if_refused(&job, exchange);
        let max = state.settings.upstream.response_timeout;
        let keep_alive = state.settings.relay.keep_alive;
        let deadline = self.limit.deadline(record.started(), sent, job.options.streams(), max, keep_alive);
        let reply = (self.send)(ForwardRequest {
            job,
            targets,
            providers: Arc::clone(&state.providers),
            request_id: record.request_id(),
            deadline,
            portion: Portion::Whole,
            log,
            span: record.trace().begin(Step::Forward),
        });
        split_if_refused(Box::pin(async move { Ok(reply.await?.into()) }), in_pieces)
    }

    /// Returns the way on for a recording that its provider refuses as too large or too long: it is split, once. `None`
    /// if it is short, or cannot be split.
    pub(super) fn in_pieces_if_refused(&self, job: &Job, exchange: &Exchange) -> Option<InPieces> {
        if job.audio.is_arriving() || !pieces::is_worth_splitting(job) {
            return None;
        }
        let admission = &self.context.state().admission;
        let targets = admission.targets_after_refusal(self.caller, job, Reason::TooLong).ok().flatten()?;
        let recording = self.recording(job.clone(), targets.clone(), targets.pieces?, exchange.attempts());
        let (context, send) = (self.context.clone(), Rc::clone(&self.send));
        Some(Box::new(move || recording.transcribe(context.state(), send)))
    }

    pub(super) fn recording(
        &self,
        job: Job,
        targets: TargetChain,
        plan: PiecePlan,
        attempts: Attempts,
    ) -> RecordingInPieces {
        let (state, record) = (self.context.state(), self.context.record());
        let deadlines = PieceDeadlines {
            limits: self.limit,
            arrival: record.started(),
            streams: job.options.streams(),
            keep_alive: state.settings.relay.keep_alive,
            max: Cell::new(pieces::max_time(&state.settings, job.media.length)),
            upload: Cell::new(UploadTime::Whole(Instant::now())),
        };
        let length = Rc::new(Cell::new(job.media.length.upper_bound()));
        RecordingInPieces {
            job,
            targets,
            plan,
            key: self.caller.share_key(),
            deadlines: Rc::new(deadlines),
            attempts,
            record: record.clone(),
            length,
            late: None,
        }
    }
}

/// Returns the transcript of a job that was forwarded as it is, by `in_pieces` if its provider refuses it as too long.
pub(super) fn split_if_refused(forwarding: TranscriptFuture, in_pieces: Option<InPieces>) -> TranscriptFuture {
    let Some(in_pieces) = in_pieces else { return forwarding };
    Box::pin(async move {
        match forwarding.await {
            Err(TranscriptError::Provider(error)) if error.is_too_long() => in_pieces().await,
            answer => answer,
        }
    })
}
