//! Decisions on requests: by the store or, while the store is down, by the state of this process.

pub(super) mod revise;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::pending_request::PendingRequest;
use super::uploads::UploadsInProgress;
use super::watch::Watch;
use crate::config::OnStoreFailure;
use crate::domain::{Month, Subject};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, PermitId};
use crate::limits::clock::Clock;
use crate::limits::leases::{Added, Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{AccountUsage, AdmitRequest, BudgetCache, Decision, Denial, Limits};
use crate::sessions::Revocations;
use crate::settlement::{SettlementQueue, SettlementQueueBuilder, Settler};
use crate::store::Store;

/// The store is down, and requests must be refused without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// A decision, with the id of its permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterDecision {
    /// The decision.
    pub decision: Decision,
    /// The id of the permit, if the request is admitted. If the store was asked and did not answer, the permit has a new
    /// id: a settlement under the request's own id takes back whatever the store may still charge for it.
    pub id: PermitId,
    /// The authority that decided.
    pub decided_by: Granted,
}

/// The parts of a limiter that outlive it, or that others share.
#[derive(Debug)]
pub(super) struct LimiterParts {
    pub(super) store: Arc<Store>,
    pub(super) on_failure: OnStoreFailure,
    pub(super) clock: Clock,
    /// The rates of this process; with the embedded store, the store's own.
    pub(super) rates: Arc<Rates>,
    /// The leases of this process; with the embedded store, the store's own.
    pub(super) leases: Arc<Leases>,
}

/// The limits of every caller.
#[derive(Debug)]
pub struct Limiter {
    store: Arc<Store>,
    on_failure: OnStoreFailure,
    rates: Arc<Rates>,
    leases: Arc<Leases>,
    budgets: Arc<BudgetCache>,
    revocations: Arc<Revocations>,
    clock: Clock,
    uploads: Arc<UploadsInProgress>,
    settler: Settler,
    watch: JoinHandle<()>,
}

impl Limiter {
    /// Creates a limiter that passes settlements to `queue`, and starts the queue.
    pub(super) fn new(parts: LimiterParts, queue: SettlementQueueBuilder) -> (Self, SettlementQueue) {
        let LimiterParts { store, on_failure, clock, rates, leases } = parts;
        let budgets = Arc::new(BudgetCache::new(clock.clone()));
        let revocations = Arc::new(Revocations::new(Arc::clone(&store), clock.clone()));
        let settler = queue.settler(&store);
        let queue = queue.open(Arc::clone(&store), Arc::clone(&budgets));
        let watch = Watch {
            store: Arc::clone(&store),
            rates: Arc::clone(&rates),
            budgets: Arc::clone(&budgets),
            revocations: Arc::clone(&revocations),
        };
        let (watch, uploads) = (tokio::spawn(watch.run()), Arc::default());
        (Self { store, on_failure, rates, leases, budgets, revocations, clock, uploads, settler, watch }, queue)
    }

    /// Refuses a request that the rates or a missing store rule out anyway. Asks no store and takes nothing.
    pub fn peek(&self, subject: &Subject, limits: &Limits) -> Result<Result<(), Denial>, Unavailable> {
        if self.store.is_down_for(subject) && self.requires_store() {
            return Err(Unavailable);
        }
        Ok(self.rates.peek(subject, limits))
    }

    /// Decides on a request. An admitted request has been charged and must be settled. A refused request has taken
    /// nothing: if the store did not answer in time, a settlement takes back anything that it took, or may still take.
    pub async fn admit(&self, mut request: AdmitRequest) -> Result<LimiterDecision, Unavailable> {
        if self.revocations.is_known(&request.subject, &request.token) {
            return Ok(self.denied(&request, Denial::Revoked));
        }
        let (id, limits) = (request.id, request.limits);
        // Count as spent the estimates that this process admitted without the store and that the store does not know
        // yet.
        request.limits = limits.without(self.budgets.owed(&request.subject));
        if self.has_local_limits()
            && let Err(denial) = self.take_local_limits(&mut request, &limits)
        {
            return Ok(self.denied(&request, denial));
        }
        let pending = PendingRequest::new(request, &self.store, &self.settler);
        let request = Arc::clone(&pending.request);
        let asked_at = self.clock.steady();
        match self.store.admit(Arc::clone(&request)).await {
            Ok(decision) => {
                self.sync_from_store(&request, &decision, asked_at);
                if decision.denial.is_none()
                    && let Some(denial) = self.exceeded_meanwhile(&request, &limits, &decision)
                {
                    pending.take_back();
                    self.rates.give_back(&request.subject, &limits);
                    return Ok(self.denied(&request, denial));
                }
                pending.keep();
                Ok(LimiterDecision { decision, id, decided_by: Granted::ByStore })
            }
            Err(failure) => {
                let was_asked = failure.may_have_been_done();
                if was_asked {
                    pending.take_back();
                } else {
                    pending.keep();
                }
                if self.requires_store() {
                    if self.has_local_limits() {
                        self.rates.give_back(&request.subject, &limits);
                    }
                    return Err(Unavailable);
                }
                tracing::debug!(%failure, "decided without the store");
                let id = if was_asked { PermitId::new() } else { id };
                let decision = self.decide_locally(&request, id, &limits);
                Ok(LimiterDecision { decision, id, decided_by: Granted::Locally })
            }
        }
    }

    /// Returns true if this process checks rates and leases of its own before it asks a shared store. The embedded store
    /// uses the rates and leases of this process itself.
    fn has_local_limits(&self) -> bool {
        !self.store.owns(&self.rates)
    }

    /// Takes the rates of this process. Requests that this process admitted without the store reduce the limit of
    /// requests in flight that the store is asked to enforce.
    fn take_local_limits(&self, request: &mut AdmitRequest, limits: &Limits) -> Result<(), Denial> {
        let subject = &request.subject;
        self.rates.take(subject, limits)?;
        // The leases of this process alone may reach the caller's limit, whatever the store knows of them.
        let is_full = limits.concurrent.is_some_and(|max| self.leases.in_flight(subject) >= max.get());
        let granted_locally = self.leases.granted_locally(subject);
        let Some(left) = request.limits.without_in_flight(granted_locally).filter(|_| !is_full) else {
            self.rates.give_back(subject, limits);
            return Err(Denial::Concurrency);
        };
        request.limits = left;
        Ok(())
    }

    /// Takes over what the store's decision says of the caller.
    fn sync_from_store(&self, request: &AdmitRequest, decision: &Decision, asked_at: Duration) {
        let (subject, account) = (&request.subject, &decision.account);
        if decision.denial == Some(Denial::Revoked) {
            self.revocations.remember(&request.token.revocation(subject));
        }
        self.budgets.update(subject, Month::of(decision.at), account.spent, asked_at);
        if !self.has_local_limits() {
            return;
        }
        if decision.denial.is_some() {
            self.rates.give_back(subject, &request.limits);
        }
        self.rates.raise_to(subject, account.reset);
    }

    /// Takes the lease of a request that the store has admitted. Returns a denial if requests that this process
    /// admitted meanwhile, unknown to the store, have used up the limit.
    fn exceeded_meanwhile(&self, request: &AdmitRequest, limits: &Limits, decision: &Decision) -> Option<Denial> {
        let (subject, id) = (&request.subject, request.id);
        if self.has_local_limits() {
            let added = self.leases.add_below(limits.concurrent, subject, id, request.lease, Granted::ByStore);
            if added == Added::Full {
                return Some(Denial::Concurrency);
            }
        }
        let denial = self.budgets.exceeded_with_local(subject, Month::of(decision.at), limits);
        denial.inspect(|_| self.leases.end(subject, id))
    }

    /// Decides without the store on a permit with this `id`: by the rates, the requests in flight here, and the last
    /// known budgets. In front of a shared store, the request has taken its rates already.
    fn decide_locally(&self, request: &AdmitRequest, id: PermitId, limits: &Limits) -> Decision {
        let subject = &request.subject;
        if !self.has_local_limits()
            && let Err(denial) = self.rates.take(subject, limits)
        {
            return self.local_decision(request, Some(denial));
        }
        // Only the store knows the earlier usage of the session.
        if request.session.as_ref().is_some_and(|session| session.is_exceeded(Charge::NONE, request.estimate)) {
            self.rates.give_back(subject, limits);
            return self.local_decision(request, Some(Denial::SessionCaps));
        }
        let month = Month::of(self.store.now(subject));
        let added = self.leases.add_below(limits.concurrent, subject, id, request.lease, Granted::Locally);
        let denial = if added == Added::Full {
            Some(Denial::Concurrency)
        } else {
            let charged = self.budgets.charge(subject, month, limits, request.estimate);
            charged.inspect_err(|_| self.leases.end(subject, id)).err()
        };
        match denial {
            Some(_) => self.rates.give_back(subject, limits),
            None => self.settler.track_local(),
        }
        self.local_decision(request, denial)
    }

    /// Returns a refusal by this process.
    fn denied(&self, request: &AdmitRequest, denial: Denial) -> LimiterDecision {
        let decision = self.local_decision(request, Some(denial));
        LimiterDecision { decision, id: request.id, decided_by: Granted::ByStore }
    }

    /// Returns a decision of this process, with the usage that it knows.
    fn local_decision(&self, request: &AdmitRequest, denial: Option<Denial>) -> Decision {
        let subject = &request.subject;
        let at = self.store.now(subject);
        let (reset, in_flight) = (self.rates.time_until_full(subject), self.leases.in_flight(subject));
        let spent = self.budgets.spent(subject, Month::of(at));
        Decision { at, denial, account: AccountUsage { reset, in_flight, spent } }
    }

    /// Returns true if a caller's token is revoked. While the store is down, returns false for a token that is not
    /// known to be revoked, or fails if requests must be refused then.
    pub async fn is_revoked(&self, subject: &Subject, token: TokenRef) -> Result<bool, Unavailable> {
        match self.revocations.is_revoked(subject, token).await {
            Ok(revoked) => Ok(revoked),
            Err(_) if !self.requires_store() => Ok(false),
            Err(_) => Err(Unavailable),
        }
    }

    /// Returns true if requests must be refused while the store is down: `on_store_failure = deny`, or the settlement
    /// backlog is full.
    fn requires_store(&self) -> bool {
        self.on_failure == OnStoreFailure::Deny || self.settler.is_full()
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
