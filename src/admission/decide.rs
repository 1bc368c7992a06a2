//! The decision on a request whose charge is known, and its permit.

use std::sync::Arc;

use super::admit::{Admission, denied};
use super::asked_permit::AskedPermit;
use super::limiter::Unavailable;
use super::open_charge::PendingCharge;
use super::permit::Permit;
use super::refusal::Refusal;
use crate::domain::Month;
use crate::ledger::Charge;
use crate::limits::{AccountUsage, Revision};

impl Admission {
    /// Asks the limiter, and returns the permit or the refusal.
    pub(super) async fn decide(&self, asked: AskedPermit<'_>) -> Result<Permit, Refusal> {
        let AskedPermit { caller, plan, model, request, replaced, rated, audio, text } = asked;
        let (subject, session, info) = (request.subject.clone(), request.session.clone(), request.info.clone());
        let estimate = request.estimate;
        let decided = self.limiter.admit(request).await;
        let decided = decided.map_err(|Unavailable| Refusal::StoreUnavailable)?;
        let decision = decided.decision;
        if let Some(denial) = decision.denial {
            let account = AccountUsage { spent: decision.account.spent.minus(replaced), ..decision.account };
            return Err(denied(caller, plan, denial, account, estimate, Month::of(decision.at)));
        }
        let charge = PendingCharge {
            id: decided.id,
            subject,
            session,
            at: decision.at,
            info,
            estimate,
            rated,
            audio,
            text,
            owed: Charge::NONE,
            revision: Revision::default(),
            decided_by: decided.decided_by,
        };
        let (settler, leases) = (self.limiter.settler(), self.limiter.leases());
        Ok(Permit::new(Arc::clone(model), charge, settler, leases))
    }
}
