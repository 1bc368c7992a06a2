//! The checks of a request: before its body arrives, and with the whole job.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::asked_permit::AskedPermit;
use super::estimate::{Amounts, JobToAdmit, PlannedPieces};
use super::limiter::{Limiter, Unavailable};
use super::permit::Permit;
use super::refusal::Refusal;
use super::uploads::UploadGuard;
use crate::config::{Model, OPENAI, Plan, Settings, Speech};
use crate::domain::{Length, Month, UnixMs};
use crate::identity::Caller;
use crate::identity::revocation::TokenRef;
use crate::intake::Job;
use crate::ledger::{Charge, PermitId, RequestInfo, Statement};
use crate::limits::session::InSession;
use crate::limits::{
    AccountUsage, AdmitRequest, Allowance, Bucket, Denial, LimitContext, LimitReached, Limits, Replaced,
};
use crate::models::TargetChain;
use crate::store::StoreError;

/// The time by which a lease exceeds the longest time that a provider may take.
const LEASE_MARGIN: Duration = Duration::from_mins(1);
/// The part of each remaining budget that a job admitted by a mere bound may take: a tenth.
const HEADROOM_FACTOR: u64 = 10;

/// Admission by the plans, the model entries and the limits.
#[derive(Debug)]
pub struct Admission {
    plans: BTreeMap<String, Plan>,
    pub(super) models: BTreeMap<String, Arc<Model>>,
    pub(super) default_model: String,
    pub(super) speech: Speech,
    /// True if the provider of models that are not configured is available.
    pub(super) serves_unknown: bool,
    pub(super) limiter: Arc<Limiter>,
    lease: Duration,
    /// The time after its expiry for which a token is still accepted.
    leeway: Duration,
}

impl Admission {
    /// Creates admission by these settings, with limits kept by `limiter`.
    pub fn new(settings: &Settings, limiter: Arc<Limiter>) -> Self {
        Self {
            plans: settings.plans.clone(),
            models: settings.models.iter().map(|(name, model)| (name.clone(), Arc::new(model.clone()))).collect(),
            default_model: settings.default_model.clone(),
            speech: settings.speech,
            serves_unknown: settings.providers.contains_key(OPENAI),
            limiter,
            lease: settings.upstream.response_timeout + LEASE_MARGIN,
            leeway: settings.identity.rules.leeway,
        }
    }

    /// Charges the job's estimate, by the dearest of its `targets`, and takes its share of the caller's limits: all or
    /// nothing, after every other check.
    pub async fn admit(&self, job: JobToAdmit<'_>) -> Result<Permit, Refusal> {
        self.admit_inner(job, None).await
    }

    /// Works like `admit`, but replaces an earlier permit for the same request. Rate limits already consumed stay
    /// consumed; budget and concurrency are computed as if the old permit did not exist.
    pub async fn admit_in_place_of(&self, permit: Permit, job: JobToAdmit<'_>) -> Result<Permit, Refusal> {
        let mut permit = permit;
        permit.failed();
        let next = self.admit_inner(job, Some(permit.replaceable())).await?;
        permit.mark_superseded();
        Ok(next)
    }

    /// Admits a job. `replaced`: what the permit that the new one replaces has taken.
    async fn admit_inner(&self, to_admit: JobToAdmit<'_>, replaced: Option<Replaced>) -> Result<Permit, Refusal> {
        let JobToAdmit { caller, job, targets, .. } = to_admit;
        let amounts = Amounts::of(job, to_admit.pieces);
        let plan = self.check_job(to_admit, amounts.length)?;
        let request = self.request(to_admit, plan, amounts, replaced);
        let asked = AskedPermit {
            caller,
            plan,
            model: &targets.requested,
            request,
            replaced: replaced.unwrap_or_default().charge,
            rated: amounts.length.upper_bound(),
            audio: amounts.length,
            text: amounts.text,
        };
        self.decide(asked).await
    }

    /// Refuses a job that no decision of the store could admit, and returns the caller's plan.
    pub(super) fn check_job(&self, to_admit: JobToAdmit<'_>, length: Length) -> Result<&Plan, Refusal> {
        let plan = self.check_length_for_rate(to_admit.caller, length)?;
        let model = &to_admit.targets.requested;
        self.check_price(to_admit.caller, model)?;
        Ok(plan)
    }

    /// Refuses audio of this `length` if the caller's rate of audio can never have room for it at once, and returns the
    /// caller's plan.
    pub(super) fn check_length_for_rate(&self, caller: &Caller, length: Length) -> Result<&Plan, Refusal> {
        let plan = self.plan(caller)?;
        if let Some(rate) = plan.audio.filter(|rate| length.upper_bound() > rate.burst) {
            return Err(Refusal::LongerThanBurst { plan: caller.plan.clone(), length, max: rate.burst });
        }
        Ok(plan)
    }

    /// Refuses a model without a price if the caller's plan has a budget of money.
    pub(super) fn check_price(&self, caller: &Caller, model: &Model) -> Result<(), Refusal> {
        if model.price.is_none() && self.plan(caller)?.monthly_usd.is_some() {
            return Err(Refusal::Unpriced { plan: caller.plan.clone(), model: model.name.clone() });
        }
        Ok(())
    }

    fn request(
        &self,
        to_admit: JobToAdmit<'_>,
        plan: &Plan,
        amounts: Amounts,
        replaced: Option<Replaced>,
    ) -> AdmitRequest {
        let JobToAdmit { caller, targets, provider, request_id, pieces, .. } = to_admit;
        let length = amounts.length.upper_bound();
        let session = self.in_session(caller, None);
        AdmitRequest {
            id: PermitId::new(),
            subject: caller.subject.clone(),
            token: self.token(caller),
            session: session.map(|session| session.for_replacement(replaced.unwrap_or_default().charge)),
            limits: match replaced {
                Some(replaced) => Limits::for_replacement(replaced, plan, length),
                None => Limits::for_recording(plan, length),
            },
            estimate: amounts.estimate(targets),
            lease: self.lease(pieces),
            info: request_info(caller, &targets.requested, provider, request_id),
        }
    }

    /// Returns the lease of a job.
    pub(super) fn lease(&self, pieces: Option<PlannedPieces>) -> Duration {
        pieces.map_or(self.lease, |pieces| pieces.time.saturating_add(LEASE_MARGIN))
    }

    /// Returns true if a permit for the same recording with other options also covers this job: the model is the same,
    /// and the job costs no more than the permit's charge.
    pub fn covers(&self, permit: &Permit, targets: &TargetChain, job: &Job, pieces: Option<PlannedPieces>) -> bool {
        permit.covers(&targets.requested, Amounts::of(job, pieces).estimate(targets))
    }

    /// Returns true if the job's worst-case cost is at most a tenth of every remaining budget, as far as this process
    /// knows: a bound that turns out far too high must not starve the caller's other requests. Audio taken from a rate
    /// is never given back, so a plan with a rate of audio returns false; so does a session with caps, since only the
    /// store knows the rest of its caps.
    pub fn has_budget_headroom(&self, caller: &Caller, job: &Job, pieces: Option<PlannedPieces>) -> bool {
        let Ok(plan) = self.plan(caller) else { return false };
        let amounts = Amounts::of(job, pieces);
        let spent = self.limiter.spent(&caller.subject);
        let name = job.options.model.as_deref().unwrap_or(&self.default_model);
        let price = self.models.get(name).and_then(|model| model.price);
        let needed = amounts.estimate_by(price.into_iter());
        let fits = |budget: u64, spent: u64, part: u64| budget.saturating_sub(spent) / HEADROOM_FACTOR >= part;
        caller.caps.are_none()
            && plan.audio.is_none()
            && plan.monthly_usd.is_none_or(|budget| fits(budget.get(), spent.usd.get(), needed.usd.get()))
            && plan.monthly_audio.is_none_or(|budget| fits(budget.get(), spent.audio.get(), needed.audio.get()))
    }

    /// Checks everything that is known before the body is read: the plan exists, the token is not known to be revoked,
    /// the caller has requests left, and another upload may start.
    pub fn check_before_body(&self, caller: &Caller) -> Result<(), Refusal> {
        let plan = self.plan(caller)?;
        self.check_known_revocations(caller)?;
        self.check_requests(caller)?;
        let checked = self.limiter.uploads().check(&caller.subject, plan.concurrent);
        checked.map_err(|denial| self.denied_before_body(caller, plan, denial))
    }

    /// Refuses a caller that has no request left. Takes nothing, and does not ask the store.
    pub fn check_requests(&self, caller: &Caller) -> Result<(), Refusal> {
        let plan = self.plan(caller)?;
        let limits = Limits::of_requests(plan.requests.map(Bucket::for_requests));
        let peeked = self.limiter.peek(&caller.subject, &limits).map_err(|Unavailable| Refusal::StoreUnavailable)?;
        peeked.map_err(|denial| self.denied_before_body(caller, plan, denial))
    }

    /// Counts a request whose body is being read, until the returned guard is dropped. A limit of requests in flight
    /// also limits uploads, since each uses memory and spool quota.
    pub fn start_upload(&self, caller: &Caller) -> Result<UploadGuard, Refusal> {
        let plan = self.plan(caller)?;
        let started = self.limiter.uploads().start(&caller.subject, plan.concurrent);
        started.map_err(|denial| self.denied_before_body(caller, plan, denial))
    }

    fn denied_before_body(&self, caller: &Caller, plan: &Plan, denial: Denial) -> Refusal {
        let (reset, spent) = (self.limiter.time_until_full(&caller.subject), Charge::NONE);
        let account = AccountUsage { reset, in_flight: self.limiter.uploads().count(&caller.subject), spent };
        denied(caller, plan, denial, account, Charge::NONE, self.limiter.month(&caller.subject))
    }

    /// Returns the rest of the caller's rates, as far as this process knows.
    pub fn allowance(&self, caller: &Caller) -> Allowance {
        let reset = self.limiter.time_until_full(&caller.subject);
        self.plan(caller).map(|plan| Allowance::for_plan(plan, reset)).unwrap_or_default()
    }

    /// Refuses a caller whose token is revoked. For requests that are not admitted; admission makes the same check.
    pub async fn check_token(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.limiter.is_revoked(&caller.subject, self.token(caller)).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(Refusal::Revoked),
            Err(Unavailable) => Err(Refusal::StoreUnavailable),
        }
    }

    /// Refuses a caller whose token is known here to be revoked. Does not ask the store.
    pub fn check_known_revocations(&self, caller: &Caller) -> Result<(), Refusal> {
        let token = self.token(caller);
        if self.limiter.revocations().is_known(&caller.subject, &token) { Err(Refusal::Revoked) } else { Ok(()) }
    }

    /// Returns the caller's usage in a month, the current month if `month` is `None`.
    pub async fn statement(&self, caller: &Caller, month: Option<Month>) -> Result<Statement, StoreError> {
        let month = month.unwrap_or_else(|| self.limiter.month(&caller.subject));
        self.limiter.statement(&caller.subject, month).await
    }

    /// Returns the caller's token, for the check of its revocation.
    pub(super) fn token(&self, caller: &Caller) -> TokenRef {
        TokenRef::of(caller, self.leeway)
    }

    /// Returns the caller's session if it has caps. Its charges are kept until its token is no longer accepted or, if that
    /// is later, until the end of the work, `until`.
    pub(super) fn in_session(&self, caller: &Caller, until: Option<UnixMs>) -> Option<InSession> {
        let id = caller.token_id.clone().filter(|_| !caller.caps.are_none())?;
        let expires_at = self.token(caller).ends_at;
        Some(InSession { id, caps: caller.caps, expires_at: until.map_or(expires_at, |until| until.max(expires_at)) })
    }

    /// Returns the caller's plan.
    pub fn plan(&self, caller: &Caller) -> Result<&Plan, Refusal> {
        self.plans.get(&caller.plan).ok_or_else(|| Refusal::UnknownPlan { plan: caller.plan.clone() })
    }
}

/// Returns the description of a request in the ledger, before it is sent to a provider.
pub(super) fn request_info(caller: &Caller, model: &Model, provider: &str, request_id: &str) -> RequestInfo {
    RequestInfo {
        request_id: request_id.to_owned(),
        plan: caller.plan.clone(),
        model: model.name.clone(),
        provider: provider.to_owned(),
        pieces: None,
        attempts: None,
    }
}

/// Returns the refusal of a request that the limits deny.
pub(super) fn denied(
    caller: &Caller,
    plan: &Plan,
    denial: Denial,
    account: AccountUsage,
    needed: Charge,
    month: Month,
) -> Refusal {
    let context = LimitContext { plan_name: &caller.plan, plan, caps: caller.caps, account, needed, month };
    match LimitReached::from_denial(denial, context) {
        Some(reached) => Refusal::Limit(Box::new(reached)),
        None => Refusal::Revoked,
    }
}
