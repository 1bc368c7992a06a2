//! The decisions on a request, and on changes of its charge, by the budgets in the file.

use super::database::Writer;
use crate::domain::{Month, UnixMs};
use crate::ledger::Charge;
use crate::limits::{AdmitRequest, Denial, ReviseRequest, RevisionOutcome};

/// The answer of the budgets to a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct BudgetDecision {
    pub(super) at: UnixMs,
    /// True if the permit was given before.
    pub(super) was_known: bool,
    pub(super) denial: Option<Denial>,
    /// The charges of the month, after the request if it was admitted.
    pub(super) spent: Charge,
}

/// Decides on one request by the file and writes the request there, all or nothing. `denial`: the reason to refuse it
/// whatever the file says, unless its permit was given before.
pub(super) fn admit(
    writer: &Writer<'_>,
    now: UnixMs,
    request: &AdmitRequest,
    denial: Option<Denial>,
) -> rusqlite::Result<BudgetDecision> {
    let subject = &request.subject;
    let entry = request.entry(now);
    let spent = writer.spent(subject, Month::of(now))?;
    if writer.knows(&entry)? {
        return Ok(BudgetDecision { at: now, was_known: true, denial: None, spent });
    }
    let revoked = writer.is_revoked(subject, &request.token, now)?.then_some(Denial::Revoked);
    let mut denial = revoked.or(denial).or(request.limits.exceeded(spent, request.estimate));
    if let Some(session) = request.session.as_ref().filter(|_| denial.is_none()) {
        let spent = writer.spent_in(subject, &session.id)?;
        denial = session.is_exceeded(spent, request.estimate).then_some(Denial::SessionCaps);
    }
    if denial.is_some() {
        return Ok(BudgetDecision { at: now, was_known: false, denial, spent });
    }
    writer.open(&entry)?;
    if let Some(session) = &request.session {
        let until = session.expires_at.max(now).plus(request.lease);
        writer.charge_session(subject, &session.id, request.estimate, Charge::NONE, Some(until))?;
    }
    Ok(BudgetDecision { at: now, was_known: false, denial: None, spent: spent.plus(request.estimate) })
}

/// The answer of the budgets to a change of a charge.
#[derive(Debug, Clone, Copy)]
pub(super) struct BudgetRevision {
    pub(super) at: UnixMs,
    pub(super) outcome: RevisionOutcome,
    /// True if the change was made now; false also if it was made before.
    pub(super) is_new: bool,
    /// The charges of the month of admission.
    pub(super) spent: Charge,
}

/// Changes the charge of an open permit, or nothing. `denial`: the reason to refuse the change whatever the file says,
/// unless it was made before.
pub(super) fn revise(
    writer: &Writer<'_>,
    now: UnixMs,
    request: &ReviseRequest,
    denial: Option<Denial>,
) -> rusqlite::Result<BudgetRevision> {
    let ReviseRequest { subject, charge, .. } = request;
    let found = writer.open_permit(request.id)?;
    let at = found.as_ref().map_or(request.at, |found| found.at);
    let spent = writer.spent(subject, Month::of(at))?;
    let unchanged = |outcome| BudgetRevision { at: now, outcome, is_new: false, spent };
    let Some(found) = found else { return Ok(unchanged(RevisionOutcome::NotOpen)) };
    if found.revision >= request.revision {
        return Ok(unchanged(RevisionOutcome::Charged));
    }
    let revoked = writer.is_revoked(subject, &request.token, now)?.then_some(Denial::Revoked);
    let limits = request.limits.of_growth(found.charge, *charge);
    let mut denial = revoked.or(denial).or(limits.exceeded(spent.minus(found.charge), *charge));
    if let Some(session) = request.session.as_ref().filter(|_| denial.is_none()) {
        let spent = writer.spent_in(subject, &session.id)?.minus(found.charge);
        denial = session.of_growth(found.charge, *charge).is_exceeded(spent, *charge).then_some(Denial::SessionCaps);
    }
    if let Some(denial) = denial {
        return Ok(unchanged(RevisionOutcome::Denied(denial)));
    }
    writer.revise(request, &found)?;
    if let Some(session) = &request.session {
        let until = session.expires_at.max(now).plus(request.lease);
        writer.charge_session(subject, &session.id, *charge, found.charge, Some(until))?;
    }
    let spent = spent.minus(found.charge).plus(*charge);
    Ok(BudgetRevision { at: now, outcome: RevisionOutcome::Charged, is_new: true, spent })
}
