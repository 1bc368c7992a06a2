//! Changes of the charge of an open permit: by the store or, while it is down, by the state of this process.

use std::sync::Arc;
use std::time::Duration;

use super::{Limiter, Unavailable};
use crate::domain::Month;
use crate::ledger::Charge;
use crate::limits::leases::Granted;
use crate::limits::{
    AccountUsage, Decision, Denial, Limits, RateReset, ReviseRequest, RevisionDecision, RevisionOutcome,
};

/// The charge that a permit holds, as far as this process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admission) struct HeldCharge {
    pub(in crate::admission) charge: Charge,
    /// The part of the charge that this process has allowed without the store, of a permit from the store.
    pub(in crate::admission) owed: Charge,
    /// The authority that admitted the request.
    pub(in crate::admission) decided_by: Granted,
}

/// The answer to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admission) struct LimiterRevision {
    /// The charge that the permit holds now.
    pub(in crate::admission) held: HeldCharge,
    /// `denial`: `None` if the change is made. The charges are those of the month of admission.
    pub(in crate::admission) decision: Decision,
}

impl Limiter {
    /// Changes the charge that a permit holds. If the store is asked and does not answer, it may make the change or not:
    /// the settlement corrects whatever it has charged. This process then decides by what it knows, and counts what it
    /// allows as owed until the store knows of it.
    pub(in crate::admission) async fn revise(
        &self,
        mut request: ReviseRequest,
        held: HeldCharge,
    ) -> Result<LimiterRevision, Unavailable> {
        let limits = request.limits;
        if self.revocations.is_known(&request.subject, &request.token) {
            return Ok(self.revision(&request, held, Some(Denial::Revoked)));
        }
        if held.decided_by == Granted::Locally {
            // The store does not know the permit.
            return Ok(match self.rates.take(&request.subject, &limits) {
                Ok(()) => self.revise_here(&request, &limits, held),
                Err(denial) => self.revision(&request, held, Some(denial)),
            });
        }
        let in_front = self.has_local_limits();
        if in_front && let Err(denial) = self.rates.take(&request.subject, &limits) {
            return Ok(self.revision(&request, held, Some(denial)));
        }
        let owed_by_others = self.budgets.owed(&request.subject).minus(held.owed);
        request.limits = limits.without(owed_by_others);
        let (request, asked_at) = (Arc::new(request), self.clock.steady());
        match self.store.revise(Arc::clone(&request)).await {
            Ok(decision) if decision.outcome == RevisionOutcome::NotOpen => {
                // The store has lost the permit, and charges it when it is settled.
                Ok(self.revise_without_store(&request, &limits, held))
            }
            Ok(decision) => Ok(self.take_over(&request, &limits, held, decision, asked_at)),
            Err(failure) => {
                if self.requires_store() {
                    if in_front {
                        self.rates.give_back(&request.subject, &limits);
                    }
                    return Err(Unavailable);
                }
                tracing::debug!(%failure, "changed a charge without the store");
                Ok(self.revise_without_store(&request, &limits, held))
            }
        }
    }

    /// Takes over a decision of the store.
    fn take_over(
        &self,
        request: &ReviseRequest,
        limits: &Limits,
        held: HeldCharge,
        decision: RevisionDecision,
        asked_at: Duration,
    ) -> LimiterRevision {
        let ReviseRequest { id, subject, charge, .. } = request;
        let (month, in_front) = (Month::of(request.at), self.has_local_limits());
        let RevisionDecision { at, outcome, account } = decision;
        // The answers for admissions of a later month must not be replaced.
        if month == Month::of(at) {
            self.budgets.update(subject, month, account.spent, asked_at);
        }
        let denial = if let RevisionOutcome::Denied(denial) = outcome { Some(denial) } else { None };
        if denial == Some(Denial::Revoked) {
            self.revocations.remember(&request.token.revocation(subject));
        }
        if in_front {
            match denial {
                Some(_) => self.rates.give_back(subject, limits),
                None => self.leases.renew(subject, *id, request.lease, Granted::ByStore),
            }
            self.rates.raise_to(subject, account.reset);
        }
        let answer = |held, denial| LimiterRevision { held, decision: Decision { at, denial, account } };
        if denial.is_some() {
            return answer(held, denial);
        }
        self.budgets.release(subject, held.owed);
        let held = HeldCharge { owed: Charge::NONE, ..held };
        // This process may have admitted requests meanwhile that the store did not know. The store keeps the new charge
        // until the settlement, which only makes it stricter.
        let grows = limits.of_growth(held.charge, *charge);
        match self.budgets.exceeded_with_local(subject, month, &grows) {
            Some(denial) => answer(held, Some(denial)),
            None => answer(HeldCharge { charge: *charge, ..held }, None),
        }
    }

    /// Decides on a change whose rate is taken already if this process has rates of its own.
    fn revise_without_store(&self, request: &ReviseRequest, limits: &Limits, held: HeldCharge) -> LimiterRevision {
        if !self.has_local_limits()
            && let Err(denial) = self.rates.take(&request.subject, limits)
        {
            return self.revision(request, held, Some(denial));
        }
        self.revise_here(request, limits, held)
    }

    /// Decides by the last known budgets on a change whose rate is taken.
    fn revise_here(&self, request: &ReviseRequest, limits: &Limits, held: HeldCharge) -> LimiterRevision {
        let ReviseRequest { id, subject, charge, .. } = request;
        let (more, less) = (charge.minus(held.charge), held.charge.minus(*charge));
        let session = request.session.as_ref().map(|session| session.of_growth(held.charge, *charge));
        // Only the store knows the earlier usage of the session.
        let exceeds_session = session.is_some_and(|session| session.is_exceeded(Charge::NONE, *charge));
        let denial = if exceeds_session {
            Some(Denial::SessionCaps)
        } else {
            let limits = limits.of_growth(held.charge, *charge);
            self.budgets.charge(subject, Month::of(request.at), &limits, more).err()
        };
        if denial.is_some() {
            self.rates.give_back(subject, &request.limits);
            return self.revision(request, held, denial);
        }
        self.leases.renew(subject, *id, request.lease, held.decided_by);
        let owed = match held.decided_by {
            // The whole charge counts as owed.
            Granted::Locally => {
                self.budgets.release(subject, less);
                Charge::NONE
            }
            // What the charge shrinks by stays charged in the store until the settlement.
            Granted::ByStore => held.owed.plus(more),
        };
        self.revision(request, HeldCharge { charge: *charge, owed, ..held }, None)
    }

    /// Returns an answer of this process.
    fn revision(&self, request: &ReviseRequest, held: HeldCharge, denial: Option<Denial>) -> LimiterRevision {
        let subject = &request.subject;
        let reset: RateReset = self.rates.time_until_full(subject);
        let (in_flight, spent) = (self.leases.in_flight(subject), self.budgets.spent(subject, Month::of(request.at)));
        let account = AccountUsage { reset, in_flight, spent };
        LimiterRevision { held, decision: Decision { at: self.store.now(subject), denial, account } }
    }
}
