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
use crate::admission::{JobToAdmit, OpenCharge, Permit, PlannedPieces, Refusal};
use crate::domain::terms::Format;
use crate::exchange::Exchange;
use crate::identity::Caller;
use crate::intake::{IntakeError, Job, SpoolRoom, max_upload_time};
use crate::models::{Attempts, PiecePlan, Reason, TargetChain};
use crate::relay::TranscriptFuture;
use crate::speech::SpeechError;
use crate::split::{NotDivided, TranscriptError};
use crate::telemetry::traces::Step;
use crate::upstream::{AnswerBudget, ForwardRequest, Portion, SendJob, UpstreamError};

/// The way on for a recording that its provider refuses as too large or too long, with this error.
pub(super) type InPieces = Box<dyn FnOnce(UpstreamError) -> TranscriptFuture>;

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
    /// The room in the spool for the pieces, if the recording goes in pieces.
    pub(super) room: Option<SpoolRoom>,
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
        let room = self.reserve_room(job, &targets)?;
        let admit = async {
            self.context.record().model(&targets.requested);
            let request_id = self.context.record().request_id();
            let permit = admission.admit(self.to_admit(job, &targets, &request_id)).await?;
            Ok::<_, Refusal>(self.admitted(targets, permit, room))
        };
        Ok(self.context.trace().during(Step::Admit, admit).await?)
    }

    fn reserve_room(&self, job: &Job, targets: &TargetChain) -> Result<Option<SpoolRoom>, ApiError> {
        let room = pieces::reserve_room(self.context.state(), self.caller.share_key(), job, targets);
        Ok(room.map_err(IntakeError::NoRoom)?)
    }

    /// Admits the complete job in place of a permit that does not cover it.
    pub(super) async fn readmit(&self, job: &Job, targets: TargetChain, permit: Permit) -> Result<Admitted, ApiError> {
        let admission = &self.context.state().admission;
        let room = self.reserve_room(job, &targets)?;
        let admit = async {
            let request_id = self.context.record().request_id();
            let permit = admission.admit_in_place_of(permit, self.to_admit(job, &targets, &request_id)).await?;
            Ok::<_, Refusal>(self.admitted(targets, permit, room))
        };
        Ok(self.context.trace().during(Step::Admit, admit).await?)
    }

    /// Makes the permit of an exchange cover the pieces of its complete job.
    pub(super) async fn admit_pieces(
        &self,
        job: &Job,
        targets: TargetChain,
        exchange: Exchange,
    ) -> Result<Admitted, ApiError> {
        let admission = &self.context.state().admission;
        let room = self.reserve_room(job, &targets)?;
        let (charge, request_id) = (exchange.permit().charge(), self.context.record().request_id());
        let to_admit = self.to_admit(job, &targets, &request_id);
        self.context.trace().during(Step::Admit, admission.revise(&charge, to_admit)).await?;
        Ok(Admitted { targets, exchange, room })
    }

    fn admitted(&self, targets: TargetChain, permit: Permit, room: Option<SpoolRoom>) -> Admitted {
        Admitted { targets, exchange: Exchange::new(permit, self.context.record().clone()), room }
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
        let settings = &self.context.state().settings;
        let time = pieces::max_time(settings, job.media.length);
        // However slowly the rest arrives, the lease must not end before its pieces are heard.
        let upload = job.audio.is_arriving().then(|| max_upload_time(&settings.intake, job.media.bytes));
        let time = time.saturating_add(upload.unwrap_or_default());
        Some(PlannedPieces { count: NonZeroU32::new(count)?, time })
    }

    /// Forwards an admitted job: as it is, or in pieces.
    pub(super) fn forward(&self, job: Job, admitted: Admitted) -> InFlight {
        let Admitted { targets, mut exchange, room } = admitted;
        let (events, format) = (job.options.streams(), job.options.format());
        let forwarding = match targets.pieces.zip(room) {
            Some((plan, room)) => {
                let attempts = exchange.begin_pieces(&targets.requested);
                let recording = self.recording(job, targets, plan, attempts);
                recording.transcribe(self.context.state(), room, Rc::clone(&self.send))
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
            answers: AnswerBudget::new(state.settings.upstream.max_answer_bytes),
            log,
            span: record.trace().begin(Step::Forward),
        });
        split_if_refused(Box::pin(async move { Ok(reply.await?.into()) }), in_pieces)
    }

    /// Returns the way on for a recording that its provider refuses as too large or too long: it is split, once. `None`
    /// if it is short, or cannot be split. The permit is charged for the pieces, and its lease renewed, before any is sent.
    pub(super) fn in_pieces_if_refused(&self, job: &Job, exchange: &Exchange) -> Option<InPieces> {
        if job.audio.is_arriving() || !pieces::is_worth_splitting(job) {
            return None;
        }
        let admission = &self.context.state().admission;
        let targets = admission.targets_after_refusal(self.caller, job, Reason::TooLong).ok().flatten()?;
        let recording = self.recording(job.clone(), targets.clone(), targets.pieces?, exchange.attempts());
        let to_divide = JobToDivide {
            context: self.context.clone(),
            caller: self.caller.clone(),
            job: job.clone(),
            pieces: self.planned_pieces(job, &targets),
            targets,
            charge: exchange.permit().charge(),
        };
        let send = Rc::clone(&self.send);
        Some(Box::new(move |refused| {
            Box::pin(async move {
                let room = to_divide.admit(refused).await?;
                recording.deadlines.begin_now();
                recording.transcribe(to_divide.context.state(), room, send).await
            })
        }))
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
        let at_once = pieces::at_once(&state.settings, plan, job.media);
        let length = Rc::new(Cell::new(job.media.length));
        // The caller's plan is known: the job has found its models by it.
        let max_length = state.admission.max_recording(self.caller).unwrap_or(state.settings.speech.max_recording);
        RecordingInPieces {
            job,
            targets,
            plan,
            at_once,
            key: self.caller.share_key(),
            deadlines: Rc::new(deadlines),
            attempts,
            record: record.clone(),
            length,
            max_length,
            late: None,
        }
    }
}

/// A job whose provider may refuse its recording whole, with what it takes to admit its pieces then.
struct JobToDivide {
    context: RequestContext,
    caller: Caller,
    job: Job,
    targets: TargetChain,
    pieces: Option<PlannedPieces>,
    charge: OpenCharge,
}

impl JobToDivide {
    /// Makes the permit cover the pieces, and returns the room for them in the spool. If the caller's limits do not allow
    /// that, the permit stays as it was.
    async fn admit(&self, provider_error: UpstreamError) -> Result<SpoolRoom, TranscriptError> {
        let Self { context, caller, job, targets, pieces, charge } = self;
        let state = context.state();
        let room = pieces::reserve_room(state, caller.share_key(), job, targets).map_err(SpeechError::NoRoom)?;
        let request_id = context.record().request_id();
        let provider = state.provider_name(&targets.requested);
        let to_admit = JobToAdmit { caller, job, targets, provider, request_id: &request_id, pieces: *pieces };
        let revised = context.trace().during(Step::Admit, state.admission.revise(charge, to_admit)).await;
        if let Err(refusal) = revised {
            let not_divided = NotDivided { refusal, provider: provider_error };
            return Err(TranscriptError::NotDivided(Box::new(not_divided)));
        }
        // There is room wherever there is a plan for pieces.
        room.ok_or(TranscriptError::Sound(SpeechError::BrokeOff))
    }
}

/// Returns the transcript of a job that was forwarded as it is, by `in_pieces` if its provider refuses it as too long.
pub(super) fn split_if_refused(forwarding: TranscriptFuture, in_pieces: Option<InPieces>) -> TranscriptFuture {
    let Some(in_pieces) = in_pieces else { return forwarding };
    Box::pin(async move {
        match forwarding.await {
            Err(TranscriptError::Provider(error)) if error.is_too_long() => in_pieces(error).await,
            answer => answer,
        }
    })
}
