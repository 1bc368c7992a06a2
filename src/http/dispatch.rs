//! The way of a complete job through admission to a provider. [`early`](super::early) has the way of a job whose
//! recording is still arriving.

use std::sync::Arc;

use tokio::time::Instant;

use super::context::RequestContext;
use super::error::ApiError;
use super::headers::client_timeout::ClientTimeouts;
use crate::admission::{JobToAdmit, Permit, Refusal};
use crate::domain::terms::Format;
use crate::exchange::Exchange;
use crate::identity::Caller;
use crate::intake::Job;
use crate::models::TargetChain;
use crate::relay::TranscriptFuture;
use crate::telemetry::traces::Step;
use crate::upstream::{ForwardRequest, Portion};

/// The means to admit and forward the job of one request.
pub(super) struct Dispatch<'a> {
    pub(super) context: &'a RequestContext,
    pub(super) caller: &'a Caller,
    /// The time limits that the client states.
    pub(super) limit: ClientTimeouts,
    /// True if `Accept` asks for events; used where the job's options do not say.
    pub(super) prefers_events: bool,
    /// Begins to send a job to a provider.
    pub(super) forward: &'a dyn Fn(ForwardRequest) -> TranscriptFuture,
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
        let admission = &self.context.state().admission;
        let admit = async {
            let targets = admission.targets(self.caller, job)?;
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

    fn to_admit<'b>(&'b self, job: &'b Job, targets: &'b TargetChain, request_id: &'b str) -> JobToAdmit<'b> {
        let provider = self.context.state().provider_name(&targets.requested);
        JobToAdmit { caller: self.caller, job, targets, provider, request_id, pieces: None }
    }

    /// Forwards an admitted job.
    pub(super) fn forward(&self, job: Job, admitted: Admitted) -> InFlight {
        let Admitted { targets, mut exchange } = admitted;
        let (state, record) = (self.context.state(), self.context.record());
        let log = exchange.begin_forwarding(&targets.requested);
        let sent = (!job.audio.is_arriving()).then(Instant::now);
        let deadline = self.limit.deadline(record.started(), sent, job.options.streams(), &state.settings);
        let (events, format) = (job.options.streams(), job.options.format());
        let forwarding = (self.forward)(ForwardRequest {
            job,
            targets,
            providers: Arc::clone(&state.providers),
            request_id: record.request_id(),
            deadline,
            portion: Portion::Whole,
            log,
            span: record.trace().begin(Step::Forward),
        });
        InFlight { events, format, exchange, forwarding }
    }
}
