//! Admission: the caller's model, the model's abilities, and the caller's limits.
//!
//! Nothing is spent before admission. This module knows callers, jobs, plans and models, but no routes and no provider.
//!
//! # Layout
//!
//! - `limiter`: decisions by the [`store`](crate::store) or, while that is away, by the state of this process;
//!   `question`: a question to the store until its answer; `watch`: maintenance of the store and of that state
//! - `arrivals`: uploads in progress, which use memory and spool quota before they are admitted
//! - `permit`: leave to forward, which settles itself; `refusal`: every reason to refuse, and its message
//! - `sessions`: the operations of the makers of sessions

mod arrivals;
mod limiter;
mod permit;
mod question;
mod refusal;
mod sessions;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

pub use arrivals::Arriving;
pub use limiter::{Limiter, LimiterError, Unavailable, Verdict};
pub use permit::Permit;
pub use refusal::{Limited, Refusal};

use crate::config::{Fallback, Model, OPENAI, Plan, Settings};
use crate::domain::{AudioMs, Month, UnixMs};
use crate::identity::Caller;
use crate::identity::revocation::TokenRef;
use crate::intake::Job;
use crate::ledger::{Charge, PermitId, RequestInfo, Statement};
use crate::limits::session::InSession;
use crate::limits::{AccountUsage, AdmitRequest, Allowance, Denial, Limits};
use crate::models;
use crate::models::{Target, TargetChain};
use crate::store::StoreError;
use permit::PendingCharge;

/// The time by which a lease exceeds the longest time that a provider may take.
const GRACE: Duration = Duration::from_mins(1);

/// Admission by the plans, the model entries and the limits.
#[derive(Debug)]
pub struct Admission {
    plans: BTreeMap<String, Plan>,
    models: BTreeMap<String, Arc<Model>>,
    default_model: String,
    /// True if the provider of models that are not configured is available.
    serves_unknown: bool,
    limiter: Arc<Limiter>,
    lease: Duration,
    /// The time after its expiry for which a token is still accepted.
    leeway: Duration,
    /// The maximum number of sessions that one maker may have open.
    max_open_sessions: NonZeroU32,
}

impl Admission {
    /// Creates admission by these settings, with limits kept by `limiter`.
    pub fn new(settings: &Settings, limiter: Arc<Limiter>) -> Self {
        Self {
            plans: settings.plans.clone(),
            models: settings.models.iter().map(|(name, model)| (name.clone(), Arc::new(model.clone()))).collect(),
            default_model: settings.default_model.clone(),
            serves_unknown: settings.providers.contains_key(OPENAI),
            limiter,
            lease: settings.upstream.response_timeout + GRACE,
            leeway: settings.identity.rules.leeway,
            max_open_sessions: settings.sessions.max_open,
        }
    }

    /// Returns the model entries that can do a job: the requested one, if the caller may use it and it can do the job,
    /// and those of its fallbacks that can do the job.
    pub fn routes(&self, caller: &Caller, job: &Job) -> Result<TargetChain, Refusal> {
        let asked_for = self.model(caller, job)?;
        let priced = self.plan(caller)?.monthly_usd.is_some();
        let fallback = |fallback: &Fallback| {
            let model = self.models.get(&fallback.model)?;
            // A plan with a budget of money needs a price, so a fallback without one does not fit.
            let fits = models::check(job, model).is_ok() && (model.price.is_some() || !priced);
            fits.then(|| Target { model: Arc::clone(model), weight: fallback.weight })
        };
        let fallbacks = asked_for.fallbacks.iter().filter_map(fallback).collect();
        Ok(TargetChain { asked_for, fallbacks })
    }

    fn model(&self, caller: &Caller, job: &Job) -> Result<Arc<Model>, Refusal> {
        let name = job.options.model.as_deref().unwrap_or(&self.default_model);
        let plan = self.plan(caller)?;
        let model = match self.models.get(name) {
            Some(model) if plan.allows(name) => Arc::clone(model),
            Some(_) => {
                return Err(Refusal::ModelNotAllowed { plan: caller.plan.clone(), model: name.to_owned() });
            }
            None if plan.allows_unknown() && self.serves_unknown => Arc::new(Model::unknown(name)),
            None => return Err(Refusal::ModelNotFound { model: name.to_owned() }),
        };
        models::check(job, &model)?;
        Ok(model)
    }

    /// Charges the job's estimate, by the dearest of its `routes`, and takes its share of the caller's limits: all or
    /// nothing, after every other check. `asked_first` is the first provider in line and the id of the request.
    pub async fn admit(
        &self,
        caller: &Caller,
        job: &Job,
        routes: &TargetChain,
        asked_first: (&str, &str),
    ) -> Result<Permit, Refusal> {
        self.let_in(caller, job, routes, asked_first, None).await
    }

    /// Works like `admit`, but replaces an earlier permit for the same request. Rate limits already consumed stay
    /// consumed; budget and concurrency are computed as if the old permit did not exist.
    pub async fn admit_in_place_of(
        &self,
        permit: Permit,
        caller: &Caller,
        job: &Job,
        routes: &TargetChain,
        asked_first: (&str, &str),
    ) -> Result<Permit, Refusal> {
        let mut permit = permit;
        permit.failed();
        let next = self.let_in(caller, job, routes, asked_first, Some(permit.charged())).await?;
        permit.mark_superseded();
        Ok(next)
    }

    async fn let_in(
        &self,
        caller: &Caller,
        job: &Job,
        routes: &TargetChain,
        (provider, request_id): (&str, &str),
        in_place_of: Option<Charge>,
    ) -> Result<Permit, Refusal> {
        let plan = self.plan(caller)?;
        let length = job.billed_length().upper_bound();
        if let Some(rate) = plan.audio.filter(|rate| length > rate.burst) {
            let length = job.billed_length();
            return Err(Refusal::LongerThanBurst { plan: caller.plan.clone(), length, most: rate.burst });
        }
        let model = &routes.asked_for;
        if model.price.is_none() && plan.monthly_usd.is_some() {
            return Err(Refusal::Unpriced { plan: caller.plan.clone(), model: model.name.clone() });
        }
        let text = job.options.text_bytes();
        let estimate = dearest(routes, length, text);
        let session = self.in_session(caller).map(|session| session.in_place_of(in_place_of.unwrap_or(Charge::NONE)));
        let ask = AdmitRequest {
            id: PermitId::new(),
            subject: caller.subject.clone(),
            token: TokenRef::of(caller, self.leeway),
            session,
            limits: match in_place_of {
                Some(charged) => Limits::in_place_of(charged, plan, length),
                None => Limits::of(plan, length),
            },
            estimate,
            lease: self.lease,
            memo: RequestInfo {
                request_id: request_id.to_owned(),
                plan: caller.plan.clone(),
                model: model.name.clone(),
                provider: provider.to_owned(),
            },
        };
        let (subject, memo, estimate) = (ask.subject.clone(), ask.memo.clone(), ask.estimate);
        let session = ask.session.clone();
        let verdict = self.limiter.admit(ask).await.map_err(|Unavailable| Refusal::StoreAway)?;
        let decision = verdict.decision;
        match decision.denial {
            Some(Denial::Revoked) => return Err(Refusal::Revoked),
            Some(Denial::Session) => return Err(Refusal::SessionSpent { caps: caller.caps, needed: estimate }),
            _ => {}
        }
        if let Some(denial) = decision.denial {
            let month = Month::of(decision.at);
            let spent = decision.standing.spent.minus(in_place_of.unwrap_or(Charge::NONE));
            let standing = AccountUsage { spent, ..decision.standing };
            let limited = Limited::new(denial, (&caller.plan, plan), standing, estimate, month);
            return Err(Refusal::Limited(Box::new(limited)));
        }
        let (id, without_store) = (verdict.id, verdict.without_store);
        let account = PendingCharge { id, subject, session, at: decision.at, memo, estimate, text, without_store };
        let audio = job.billed_length();
        Ok(Permit::new(Arc::clone(model), account, audio, self.limiter.settler(), self.limiter.leases()))
    }

    /// Returns true if a permit for the same recording with other options also covers this job: the model is the same,
    /// and the job costs no more than the permit's charge.
    pub fn covers(&self, permit: &Permit, routes: &TargetChain, job: &Job) -> bool {
        let (length, text) = (job.billed_length().upper_bound(), job.options.text_bytes());
        permit.covers(&routes.asked_for, dearest(routes, length, text))
    }

    /// Returns true if the job's worst-case cost is at most a tenth of every remaining budget, as far as this process
    /// knows: a bound that turns out far too high must not starve the caller's other requests. Audio taken from a rate
    /// is never given back, so a plan with a rate of audio returns false; so does a session with caps, since only the
    /// store knows the rest of its caps.
    pub fn has_plenty(&self, caller: &Caller, job: &Job) -> bool {
        const PART: u64 = 10;
        let Ok(plan) = self.plan(caller) else { return false };
        let length = job.billed_length().upper_bound();
        let spent = self.limiter.spent(&caller.subject);
        let name = job.options.model.as_deref().unwrap_or(&self.default_model);
        let price = self.models.get(name).and_then(|model| model.price);
        let usd = price.map(|price| price.estimate(length, job.options.text_bytes())).unwrap_or_default();
        let fits = |budget: u64, spent: u64, part: u64| budget.saturating_sub(spent) / PART >= part;
        caller.caps.are_none()
            && plan.audio.is_none()
            && plan.monthly_usd.is_none_or(|budget| fits(budget.get(), spent.usd.get(), usd.get()))
            && plan.monthly_audio.is_none_or(|budget| fits(budget.get(), spent.audio.get(), length.get()))
    }

    /// Checks everything that is known before the body is read: the plan exists, the token is not known to be revoked,
    /// the caller has requests left, and another request may arrive.
    pub fn before_body(&self, caller: &Caller) -> Result<(), Refusal> {
        let plan = self.plan(caller)?;
        self.check_known_revocations(caller)?;
        // The length of the recording is not known yet.
        let limits = Limits { audio: None, ..Limits::of(plan, AudioMs::default()) };
        let looked = self.limiter.look(&caller.subject, &limits).map_err(|Unavailable| Refusal::StoreAway)?;
        let judged = looked.and_then(|()| self.limiter.arrivals().look(&caller.subject, plan.concurrent));
        judged.map_err(|denial| self.denied_before_body(caller, plan, denial))
    }

    /// Counts a request whose body is being read, until the returned guard is dropped. A limit of requests in flight
    /// also limits arriving requests, since each uses memory and spool quota.
    pub fn arriving(&self, caller: &Caller) -> Result<Arriving, Refusal> {
        let plan = self.plan(caller)?;
        let begun = self.limiter.arrivals().begin(&caller.subject, plan.concurrent);
        begun.map_err(|denial| self.denied_before_body(caller, plan, denial))
    }

    fn denied_before_body(&self, caller: &Caller, plan: &Plan, denial: Denial) -> Refusal {
        let (requests, audio) = self.limiter.standing(&caller.subject);
        let in_flight = self.limiter.arrivals().count(&caller.subject);
        let standing = AccountUsage { requests, audio, in_flight, ..AccountUsage::default() };
        let month = self.limiter.month(&caller.subject);
        Refusal::Limited(Box::new(Limited::new(denial, (&caller.plan, plan), standing, Charge::NONE, month)))
    }

    /// Returns the rest of the caller's rates, as far as this process knows.
    pub fn allowance(&self, caller: &Caller) -> Allowance {
        let (requests, audio) = self.limiter.standing(&caller.subject);
        self.plan(caller).map(|plan| Allowance::of(plan, requests, audio)).unwrap_or_default()
    }

    /// Refuses a caller whose token is revoked. For requests that are not admitted; admission makes the same check.
    pub async fn check_token(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.limiter.is_revoked(&caller.subject, TokenRef::of(caller, self.leeway)).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(Refusal::Revoked),
            Err(Unavailable) => Err(Refusal::StoreAway),
        }
    }

    /// Returns the caller's usage in a month, the current month if `month` is `None`.
    pub async fn statement(&self, caller: &Caller, month: Option<Month>) -> Result<Statement, StoreError> {
        let month = month.unwrap_or_else(|| self.limiter.month(&caller.subject));
        self.limiter.statement(&caller.subject, month).await
    }

    /// Returns the configured models that the caller may use.
    pub fn models(&self, caller: &Caller) -> Result<impl Iterator<Item = &Model>, Refusal> {
        let plan = self.plan(caller)?;
        Ok(self.models.values().map(AsRef::as_ref).filter(|model| plan.allows(&model.name)))
    }

    /// Returns the caller's session if it has caps. The session ends when its token is no longer accepted.
    fn in_session(&self, caller: &Caller) -> Option<InSession> {
        let id = caller.token_id.clone().filter(|_| !caller.caps.are_none())?;
        let expires_at = UnixMs::new(caller.expires_at.saturating_mul(1000)).plus(self.leeway);
        Some(InSession { id, caps: caller.caps, expires_at })
    }

    /// Returns the caller's plan.
    pub fn plan(&self, caller: &Caller) -> Result<&Plan, Refusal> {
        self.plans.get(&caller.plan).ok_or_else(|| Refusal::UnknownPlan { plan: caller.plan.clone() })
    }
}

/// Returns the cost of a job by the dearest of its model entries.
fn dearest(routes: &TargetChain, length: AudioMs, text: u64) -> Charge {
    let prices = routes.models().filter_map(|model| model.price);
    let usd = prices.map(|price| price.estimate(length, text)).max().unwrap_or_default();
    Charge { usd, audio: length }
}
