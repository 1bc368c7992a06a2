//! The way of a job through admission to a provider, whole or while its recording is still arriving.

use std::future::{poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::error::ApiError;
use super::headers::client_timeout::ClientLimit;
use super::state::AppState;
use crate::admission::{Permit, Refusal};
use crate::domain::terms::Format;
use crate::exchange::{Exchange, Record};
use crate::identity::Caller;
use crate::intake::media::Claim;
use crate::intake::{Job, Upload};
use crate::models::TargetChain;
use crate::relay::Forwarding;
use crate::telemetry::traces::Step;
use crate::upstream::{ForwardRequest, Upstream, UpstreamError};

/// The context of a job: its caller, its record, and the means to forward it.
pub(super) struct Dispatch<'a> {
    pub(super) state: &'a AppState,
    pub(super) upstream: &'a Rc<Upstream>,
    pub(super) caller: &'a Caller,
    pub(super) record: &'a Record,
    /// The time limits that the client states.
    pub(super) limit: ClientLimit,
    /// True if `Accept` asks for events; used where the job's options do not say.
    pub(super) events: bool,
}

/// An admitted job on its way to a provider.
pub(super) struct InFlight {
    pub(super) events: bool,
    pub(super) format: Format,
    pub(super) exchange: Exchange,
    pub(super) forwarding: Forwarding,
    /// The candidates for the job.
    routes: TargetChain,
}

impl Dispatch<'_> {
    /// Admits a job and forwards it.
    pub(super) async fn begin(&self, job: Job) -> Result<InFlight, ApiError> {
        let job = self.taken(job);
        let (routes, permit) = self.admitted(&job).await?;
        Ok(self.forwarded(job, routes, Exchange::new(permit, self.record.clone())))
    }

    /// Admits a job by its claimed length and forwards the recording while it arrives. If the whole recording differs
    /// from the claim, starts over with the whole. No provider has the last byte before then, so none has done any
    /// work.
    pub(super) async fn begin_early(
        &self,
        early: Job,
        claim: Claim,
        arrival: Upload<'_>,
    ) -> Result<InFlight, ApiError> {
        let claimed = early.clone();
        // A job that its claim does not admit waits for the whole recording.
        let begun = if self.may_begin(&early, claim) { self.begin(early).await.ok() } else { None };
        let Some(mut work) = begun else {
            return self.begin(released(arrival.whole().await?)).await;
        };
        let (whole, reached) = beside(arrival, &mut work.forwarding).await.inspect_err(|_| work.exchange.failed())?;
        let fulfils = reached && whole.fulfils(&claimed);
        let (whole, admission) = (self.taken(whole), &self.state.admission);
        // The choice of models depends on the measured length, which is known only now.
        let routes = admission.routes(self.caller, &whole).inspect_err(|_| work.exchange.failed())?;
        let (length, text) = (whole.billed_length(), whole.options.text_bytes());
        if fulfils && routes.are(&work.routes) {
            work.exchange.measured(length, text);
            whole.audio.release();
            return Ok(work);
        }
        let InFlight { mut exchange, forwarding, .. } = work;
        drop(forwarding);
        exchange.withdraw();
        let whole = released(whole);
        // The usual reason is a field after the recording. If the permit covers the whole job, keep it.
        if admission.covers(exchange.permit(), &routes, &whole) {
            exchange.measured(length, text);
            return Ok(self.forwarded(whole, routes, exchange));
        }
        let (provider, id) = self.asked_first(&routes);
        let permit = exchange.into_permit();
        let admitting = admission.admit_in_place_of(permit, self.caller, &whole, &routes, (provider, &id));
        let permit = self.record.trace().during(Step::Admit, admitting).await?;
        Ok(self.forwarded(whole, routes, Exchange::new(permit, self.record.clone())))
    }

    /// Returns true if a claim is good enough to admit the job: an exact claim is. A claim that may be far above the
    /// length is good enough only for a caller with far more than that left.
    fn may_begin(&self, early: &Job, claim: Claim) -> bool {
        claim.exact || self.state.admission.has_plenty(self.caller, early)
    }

    fn taken(&self, mut job: Job) -> Job {
        job.options.stream = job.options.stream.or(Some(self.events));
        self.record.job(&job);
        job
    }

    async fn admitted(&self, job: &Job) -> Result<(TargetChain, Permit), ApiError> {
        let (admission, trace) = (&self.state.admission, self.record.trace());
        let admitting = async {
            let routes = admission.routes(self.caller, job)?;
            self.record.model(&routes.asked_for);
            let (provider, id) = self.asked_first(&routes);
            let permit = admission.admit(self.caller, job, &routes, (provider, &id)).await?;
            Ok::<_, Refusal>((routes, permit))
        };
        Ok(trace.during(Step::Admit, admitting).await?)
    }

    /// Returns the first provider in line and the id of the request.
    fn asked_first<'b>(&'b self, routes: &'b TargetChain) -> (&'b str, String) {
        (self.state.provider_name(&routes.asked_for), self.record.request_id())
    }

    fn forwarded(&self, job: Job, routes: TargetChain, mut exchange: Exchange) -> InFlight {
        let log = exchange.begin_forwarding(&routes.asked_for);
        let sent = (!job.audio.is_arriving()).then(Instant::now);
        let deadline = self.limit.deadline(self.record.started(), sent, job.options.streams(), &self.state.settings);
        let (events, format) = (job.options.streams(), job.options.format());
        let errand = ForwardRequest {
            job,
            targets: routes.clone(),
            providers: Arc::clone(&self.state.providers),
            request_id: self.record.request_id(),
            deadline,
            log,
            span: self.record.trace().begin(Step::Forward),
        };
        let upstream = Rc::clone(self.upstream);
        let forwarding = Box::pin(async move { upstream.forward(&errand).await });
        InFlight { events, format, exchange, forwarding, routes }
    }
}

fn released(whole: Job) -> Job {
    whole.audio.release();
    whole
}

/// Waits for the whole recording while its job is being forwarded. Fails early if forwarding fails. The second value is
/// false if forwarding has already ended: a provider that ends slow uploads is asked again with the whole recording.
async fn beside(arrival: Upload<'_>, forwarding: &mut Forwarding) -> Result<(Job, bool), ApiError> {
    let mut whole = pin!(arrival.whole());
    let mut reply = None;
    let job = poll_fn(|cx| {
        // The arrival is polled first, since a request that breaks off also breaks its forwarding.
        if let Poll::Ready(job) = whole.as_mut().poll(cx) {
            return Poll::Ready(job.map_err(ApiError::from));
        }
        if reply.is_none()
            && let Poll::Ready(answer) = forwarding.as_mut().poll(cx)
        {
            match answer {
                // Early bytes can be mistaken for another format; the whole recording decides.
                Ok(_) | Err(UpstreamError::RecordingLost | UpstreamError::Broken) => reply = Some(answer),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        Poll::Pending
    })
    .await?;
    let reached = !matches!(reply, Some(Err(UpstreamError::Broken)));
    if let Some(answer) = reply {
        *forwarding = Box::pin(ready(answer));
    }
    Ok((job, reached))
}
