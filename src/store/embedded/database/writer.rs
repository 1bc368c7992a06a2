//! A transaction that writes: charges, settlements and their records.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::rows::{Result, counted, entry, number, parsed};
use super::spent::spent;
use crate::domain::{AudioMs, Month, NanoUsd, Subject, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, Usage};
use crate::limits::{IfUnknown, ReviseRequest, Revision, Settlement};

/// A transaction, and the number of changes before it.
pub(in crate::store::embedded) struct Writer<'a>(pub(super) Transaction<'a>, pub(super) u64);

/// A permit that is not settled.
#[derive(Debug, Clone, Copy)]
pub(in crate::store::embedded) struct OpenPermit {
    /// The time of admission.
    pub(in crate::store::embedded) at: UnixMs,
    pub(in crate::store::embedded) charge: Charge,
    /// The last revision of the charge.
    pub(in crate::store::embedded) revision: Revision,
}

enum PermitState {
    Open(OpenPermit),
    Settled,
}

impl Writer<'_> {
    /// Rewrites an existing value, to see whether the file can be written.
    pub(in crate::store::embedded) fn touch(&self) -> Result<()> {
        self.0.execute(include_str!("../sql/touch.sql"), [UnixMs::now().to_string()]).map(|_| ())
    }

    /// Returns true if the transaction has changed anything.
    pub(in crate::store::embedded) fn has_changes(&self) -> bool {
        self.0.total_changes() > self.1
    }

    /// Commits the transaction.
    pub(in crate::store::embedded) fn commit(self) -> Result<()> {
        self.0.commit()
    }

    /// Returns a caller's charges in a month.
    pub(in crate::store::embedded) fn spent(&self, subject: &Subject, month: Month) -> Result<Charge> {
        Ok(spent(&self.0, subject, month)?.charge())
    }

    /// Returns true if the permit of this record was given.
    pub(in crate::store::embedded) fn knows(&self, entry: &Entry) -> Result<bool> {
        Ok(self.permit_state(entry.id)?.is_some())
    }

    /// Charges the estimate and opens the record.
    pub(in crate::store::embedded) fn open(&self, entry: &Entry) -> Result<()> {
        self.charge(entry, 1, entry.estimate, Charge::NONE)?;
        self.record(entry)
    }

    /// Settles a permit, unless it is settled already.
    pub(in crate::store::embedded) fn settle(&self, settlement: &Settlement) -> Result<()> {
        let mut entry = settlement.entry();
        if settlement.is_void() {
            return self.void(settlement, entry);
        }
        match (self.permit_state(entry.id)?, settlement.unknown) {
            (Some(PermitState::Open(open)), _) => {
                // The time in the record is the right one, and so is its charge: the gateway does not know it if the
                // answer to a revision was lost.
                entry.at = open.at;
                self.charge(&entry, 0, entry.cost, open.charge)?;
                if let Some(session) = &settlement.session {
                    self.charge_session(&entry.subject, &session.id, entry.cost, open.charge, None)?;
                }
            }
            (None, IfUnknown::Charge) => {
                self.charge(&entry, 1, entry.cost, Charge::NONE)?;
                if let Some(session) = &settlement.session {
                    let until = Some(session.expires_at);
                    self.charge_session(&entry.subject, &session.id, entry.cost, Charge::NONE, until)?;
                }
            }
            (Some(_), _) | (None, IfUnknown::Ignore) => return Ok(()),
        }
        self.tally(&entry, &settlement.counted_as)?;
        self.record(&entry)
    }

    /// Takes back an open permit, as if it had never been given.
    fn void(&self, settlement: &Settlement, mut entry: Entry) -> Result<()> {
        let Some(open) = self.open_permit(entry.id)? else { return Ok(()) };
        entry.at = open.at;
        self.charge(&entry, -1, Charge::NONE, open.charge)?;
        if let Some(session) = &settlement.session {
            self.charge_session(&entry.subject, &session.id, Charge::NONE, open.charge, None)?;
        }
        self.0.prepare_cached(include_str!("../sql/void.sql"))?.execute([entry.id.to_string()])?;
        Ok(())
    }

    /// Closes the records of permits that were given before `before` and never settled. Their estimates stand.
    pub(in crate::store::embedded) fn abandon(&self, before: UnixMs) -> Result<()> {
        let mut query = self.0.prepare_cached(include_str!("../sql/abandoned.sql"))?;
        let abandoned: Vec<Entry> = query.query_map([number(before.get())], entry)?.collect::<Result<_>>()?;
        for mut entry in abandoned {
            entry.ending = Ending::Abandoned;
            self.tally(&entry, &entry.info.model)?;
            self.record(&entry)?;
        }
        Ok(())
    }

    /// Deletes some of the records older than `before`, and returns their number.
    pub(in crate::store::embedded) fn forget(&self, before: UnixMs) -> Result<usize> {
        self.0.prepare_cached(include_str!("../sql/forget.sql"))?.execute([number(before.get())])
    }

    /// Returns a permit that is not settled.
    pub(in crate::store::embedded) fn open_permit(&self, id: PermitId) -> Result<Option<OpenPermit>> {
        Ok(match self.permit_state(id)? {
            Some(PermitState::Open(open)) => Some(open),
            Some(PermitState::Settled) | None => None,
        })
    }

    /// Gives an open permit another charge.
    pub(in crate::store::embedded) fn revise(&self, request: &ReviseRequest, open: &OpenPermit) -> Result<()> {
        let entry = Entry { at: open.at, ..request.entry() };
        self.charge(&entry, 0, request.charge, open.charge)?;
        self.0.prepare_cached(include_str!("../sql/revise.sql"))?.execute(params![
            entry.id.to_string(),
            request.revision.get(),
            number(request.charge.usd.get()),
            number(request.charge.audio.get()),
        ])?;
        Ok(())
    }

    fn permit_state(&self, id: PermitId) -> Result<Option<PermitState>> {
        let mut query = self.0.prepare_cached(include_str!("../sql/permit_state.sql"))?;
        let found = |row: &Row<'_>| {
            if parsed::<Ending>(row, 0)? != Ending::Open {
                return Ok(PermitState::Settled);
            }
            let charge = Charge { usd: NanoUsd::new(counted(row, 2)?), audio: AudioMs::new(counted(row, 3)?) };
            let (at, revision) = (UnixMs::new(counted(row, 1)?), Revision::new(row.get(4)?));
            Ok(PermitState::Open(OpenPermit { at, charge, revision }))
        };
        query.query_row([id.to_string()], found).optional()
    }

    /// Replaces the charge `instead_of` by `charge`.
    fn charge(&self, entry: &Entry, requests: i64, charge: Charge, instead_of: Charge) -> Result<()> {
        let difference = |new: u64, old: u64| number(new) - number(old);
        self.0.prepare_cached(include_str!("../sql/charge.sql"))?.execute(params![
            entry.subject.as_str(),
            Month::of(entry.at).to_string(),
            requests,
            difference(charge.usd.get(), instead_of.usd.get()),
            difference(charge.audio.get(), instead_of.audio.get()),
        ])?;
        Ok(())
    }

    fn tally(&self, entry: &Entry, model: &str) -> Result<()> {
        let (month, day, subject) = (Month::of(entry.at).to_string(), entry.at.day(), entry.subject.as_str());
        let (usd, audio) = (number(entry.cost.usd.get()), number(entry.cost.audio.get()));
        let groups = [("day", day.as_str()), ("model", model)];
        for (kind, name) in groups {
            let mut query = self.0.prepare_cached(include_str!("../sql/tally.sql"))?;
            query.execute(params![subject, month, kind, name, usd, audio])?;
        }
        for (kind, name) in groups.into_iter().chain([("caller", subject)]) {
            let mut query = self.0.prepare_cached(include_str!("../sql/add_to_total.sql"))?;
            query.execute(params![month, kind, name, usd, audio])?;
        }
        Ok(())
    }

    fn record(&self, entry: &Entry) -> Result<()> {
        let (input, output, audio) = match entry.usage {
            Some(Usage::Tokens { input, output }) => (Some(number(input)), Some(number(output)), None),
            Some(Usage::Length(length)) => (None, None, Some(number(length.get()))),
            None => (None, None, None),
        };
        self.0.prepare_cached(include_str!("../sql/record.sql"))?.execute(params![
            entry.id.to_string(),
            number(entry.at.get()),
            entry.subject.as_str(),
            entry.info.request_id,
            entry.info.plan,
            entry.info.model,
            entry.info.provider,
            number(entry.audio.get()),
            number(entry.estimate.usd.get()),
            number(entry.estimate.audio.get()),
            number(entry.cost.usd.get()),
            number(entry.cost.audio.get()),
            input,
            output,
            audio,
            entry.ending.as_str(),
            entry.info.pieces,
            entry.info.attempts,
        ])?;
        Ok(())
    }
}
