//! The change of an open permit's charge, where the job turns out to cost something else.

use std::time::Duration;

use super::admit::{Admission, denied};
use super::estimate::{Amounts, JobToAdmit};
use super::limiter::Unavailable;
use super::open_charge::OpenCharge;
use super::refusal::Refusal;
use crate::config::Plan;
use crate::domain::{AudioMs, Month};
use crate::identity::Caller;
use crate::ledger::Charge;
use crate::limits::session::InSession;
use crate::limits::{AccountUsage, Denial, Limits, ReviseRequest};

/// A change of an open permit's charge.
pub(super) struct Change<'a> {
    pub(super) caller: &'a Caller,
    pub(super) plan: &'a Plan,
    /// The caller's session, if it has caps.
    pub(super) session: Option<InSession>,
    pub(super) charge: Charge,
    /// The audio that the permit has taken from the rate once the change is made. It never gives any back.
    pub(super) rated: AudioMs,
    /// The audio that a refusal by the rate names.
    pub(super) asked: AudioMs,
    pub(super) lease: Duration,
}

impl Admission {
    /// Sets the charge of an open permit to the job's estimate as it is known now, if the caller's limits allow it, and
    /// renews the permit's lease. Costs one round trip to the store. If it is refused, the permit keeps its charge, and
    /// what was done under it is charged when it is settled.
    ///
    /// More audio than before takes the difference from the rate; less gives nothing back.
    pub async fn revise(&self, open: &OpenCharge, to_admit: JobToAdmit<'_>) -> Result<(), Refusal> {
        let JobToAdmit { caller, job, targets, pieces, .. } = to_admit;
        let amounts = Amounts::of(job, pieces);
        let change = Change {
            caller,
            plan: self.check_job(to_admit, amounts.length)?,
            session: self.in_session(caller, None),
            charge: amounts.estimate(targets),
            rated: amounts.length.upper_bound(),
            asked: amounts.length.upper_bound(),
            lease: self.lease(pieces),
        };
        self.change(open, change).await?;
        open.set_measured_audio(job.billed_length(), amounts.text);
        Ok(())
    }

    /// Makes a change, or none if the token is revoked or a limit does not allow it.
    pub(super) async fn change(&self, open: &OpenCharge, change: Change<'_>) -> Result<(), Refusal> {
        let Change { caller, plan, session, charge, rated, asked, lease } = change;
        let account = open.next_revision();
        let request = ReviseRequest {
            id: account.id,
            revision: account.revision,
            subject: account.subject.clone(),
            token: self.token(caller),
            session,
            limits: Limits::for_revision(account.rated, plan, rated),
            at: account.at,
            charge,
            lease,
            info: account.info.clone(),
        };
        let held = account.held();
        let revised = self.limiter.revise(request, held).await;
        let revised = revised.map_err(|Unavailable| Refusal::StoreUnavailable)?;
        open.set_held(revised.held);
        let decision = revised.decision;
        if let Some(denial) = decision.denial {
            let spent = decision.account.spent.minus(held.charge);
            let usage = AccountUsage { spent, ..decision.account };
            let needed = match denial {
                Denial::Audio { .. } => Charge { audio: asked, ..charge },
                _ => charge,
            };
            return Err(denied(caller, plan, denial, usage, needed, Month::of(account.at)));
        }
        open.revised(rated);
        Ok(())
    }
}
