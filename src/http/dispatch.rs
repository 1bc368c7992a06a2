//! The way of a complete job through admission to a provider. [`early`](super::early) has the way of a job whose
//! recording is still arriving.

use std::sync::Arc;
use std::time::Instant;

use super::context::RequestContext;
use super::error::ApiError;
use super::headers::client_timeout::ClientLimit;
use crate::admission::{Permit, Refusal};
use crate::domain::terms::Format;
use crate::identity::Caller;
use crate::intake::Job;
use crate::models::TargetChain;
use crate::relay::Forwarding;
use crate::telemetry::traces::Step;
use crate::upstream::ForwardRequest;

/// The means to admit and forward the job of one request.
pub(super) struct Dispatch<'a> {
    pub(super) context: &'a RequestContext,
    pub(super) caller: &'a Caller,
    /// The time limits that the client states.
    pub(super) limit: ClientLimit,
    /// True if `Accept` asks for events; used where the job's options do not say.
    pub(super) prefers_events: bool,
    /// Begins to send a job to a provider.
    pub(super) forward: &'a dyn Fn(ForwardRequest) -> Forwarding,
}

/// Leave to forward a job, and the models that can do it.
pub(super) struct Admitted {
    pub(super) targets: TargetChain,
    pub(super) permit: Permit,
}

/// An admitted job on its way to a provider.
pub(super) struct InFlight {
    pub(super) events: bool,
    pub(super) format: Format,
    pub(super) permit: Permit,
    pub(super) forwarding: Forwarding,
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
            let targets = admission.routes(self.caller, job)?;
            self.context.record().model(&targets.asked_for);
            let (provider, id) = (self.first_provider(&targets), self.context.record().request_id());
            let permit = admission.admit(self.caller, job, &targets, (provider, &id)).await?;
            Ok::<_, Refusal>(Admitted { targets, permit })
        };
        self.traced(admit).await
    }

    /// Admits the complete job in place of a permit that does not cover it.
    pub(super) async fn readmit(&self, job: &Job, targets: TargetChain, permit: Permit) -> Result<Admitted, ApiError> {
        let admission = &self.context.state().admission;
        let admit = async {
            let (provider, id) = (self.first_provider(&targets), self.context.record().request_id());
            let permit = admission.admit_in_place_of(permit, self.caller, job, &targets, (provider, &id)).await?;
            Ok::<_, Refusal>(Admitted { targets, permit })
        };
        self.traced(admit).await
    }

    /// Runs an admission as a step of the trace, which the settlement of its permit belongs to, too.
    async fn traced(&self, admit: impl Future<Output = Result<Admitted, Refusal>>) -> Result<Admitted, ApiError> {
        let trace = self.context.trace();
        let mut admitted = trace.during(Step::Admit, admit).await?;
        admitted.permit.traced(trace);
        Ok(admitted)
    }

    fn first_provider<'b>(&'b self, targets: &'b TargetChain) -> &'b str {
        self.context.state().provider_name(&targets.asked_for)
    }

    /// Forwards an admitted job.
    pub(super) fn forward(&self, job: Job, Admitted { targets, permit }: Admitted) -> InFlight {
        let (state, record) = (self.context.state(), self.context.record());
        let attempts = permit.course();
        record.model(&targets.asked_for);
        record.asked(attempts.clone());
        let sent = (!job.audio.is_arriving()).then(Instant::now);
        let deadline = self.limit.deadline(record.started(), sent, job.options.streams(), &state.settings);
        let (events, format) = (job.options.streams(), job.options.format());
        let forwarding = (self.forward)(ForwardRequest {
            job,
            routes: targets,
            providers: Arc::clone(&state.providers),
            request_id: record.request_id(),
            deadline,
            course: attempts,
            span: record.trace().begin(Step::Forward),
        });
        InFlight { events, format, permit, forwarding }
    }
}
