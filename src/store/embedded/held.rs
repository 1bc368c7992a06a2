//! What one request takes of the rates and leases of this process.

use std::sync::Arc;

use crate::limits::leases::{Added, Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{AdmitRequest, Denial};

/// What a request holds while the thread decides on it. Whoever drops it ends the lease; what the rates have counted stays
/// counted unless it is given back, since a client that leaves has tried.
pub(super) struct Held<'a> {
    rates: &'a Rates,
    leases: &'a Leases,
    ask: Arc<AdmitRequest>,
    has_rates: bool,
    has_lease: bool,
    denial: Option<Denial>,
}

impl<'a> Held<'a> {
    /// Takes the rates and a lease, or nothing.
    pub(super) fn take(rates: &'a Rates, leases: &'a Leases, ask: Arc<AdmitRequest>) -> Self {
        let mut held = Self { rates, leases, ask, has_rates: false, has_lease: false, denial: None };
        let AdmitRequest { id, subject, limits, lease, .. } = &*held.ask;
        match leases.add_below(limits.concurrent, subject, *id, *lease, Granted::ByStore) {
            // The same request asks again: it has everything already.
            Added::WasThere => return held,
            Added::New => held.has_lease = true,
            Added::Full => {}
        }
        // Where both refuse, the rates are what is named.
        held.denial = if held.has_lease {
            rates.take(subject, limits).err()
        } else {
            Some(rates.look(subject, limits).err().unwrap_or(Denial::Concurrency))
        };
        held.has_rates = held.denial.is_none();
        if held.denial.is_some() {
            held.end_lease();
        }
        held
    }

    /// Why it cannot be let in, whatever the budgets say.
    pub(super) const fn denial(&self) -> Option<Denial> {
        self.denial
    }

    /// The request is let in.
    pub(super) fn keep(mut self) {
        self.has_lease = false;
    }

    /// The request is not let in, or has it all from when it first asked.
    pub(super) fn give_back(self) {
        if self.has_rates {
            self.rates.give_back(&self.ask.subject, &self.ask.limits);
        }
    }

    fn end_lease(&mut self) {
        if std::mem::take(&mut self.has_lease) {
            self.leases.end(&self.ask.subject, self.ask.id);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.end_lease();
    }
}
