//! The change of an open permit's charge, where the job turns out to cost something else.

use super::admit::{Admission, denied};
use super::estimate::{Amounts, JobToAdmit};
use super::limiter::Unavailable;
use super::open_charge::OpenCharge;
use super::refusal::Refusal;
use crate::domain::Month;
use crate::limits::{AccountUsage, Limits, ReviseRequest};

impl Admission {
    /// Sets the charge of an open permit to the job's estimate as it is known now, if the caller's limits allow it, and
    /// renews the permit's lease. Costs one round trip to the store. If it is refused, the permit keeps its charge, and
    /// what was done under it is charged when it is settled.
    ///
    /// More audio than before takes the difference from the rate; less gives nothing back.
    pub async fn revise(&self, open: &OpenCharge, to_admit: JobToAdmit<'_>) -> Result<(), Refusal> {
        let JobToAdmit { caller, job, targets, pieces, .. } = to_admit;
        let amounts = Amounts::of(job, pieces);
        let plan = self.check_job(to_admit, amounts.length)?;
        let (charge, length) = (amounts.estimate(targets), amounts.length.upper_bound());
        let account = open.next_revision();
        let request = ReviseRequest {
            id: account.id,
            revision: account.revision,
            subject: account.subject.clone(),
            session: self.in_session(caller),
            limits: Limits::for_revision(account.rated, plan, length),
            at: account.at,
            charge,
            lease: self.lease(pieces),
            info: account.info.clone(),
        };
        let (held, at) = (account.held(), account.at);
        let revised = self.limiter.revise(request, held).await;
        let revised = revised.map_err(|Unavailable| Refusal::StoreUnavailable)?;
        open.set_held(revised.held);
        let decision = revised.decision;
        if let Some(denial) = decision.denial {
            let spent = decision.account.spent.minus(held.charge);
            let usage = AccountUsage { spent, ..decision.account };
            return Err(denied(caller, plan, denial, usage, charge, Month::of(at)));
        }
        open.revised(amounts);
        open.set_measured_audio(job.billed_length(), amounts.text);
        Ok(())
    }
}
