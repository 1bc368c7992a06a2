//! The rates and the lease that one request takes in this process.

use std::sync::Arc;

use crate::limits::leases::{Added, Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{AdmitRequest, Denial};

/// The rates and the lease of a request while the thread decides on it. Dropping it ends the lease; the rates stay
/// taken unless they are given back, since the attempt of a client that leaves still counts.
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
        // If both refuse, report the rates.
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

    /// Returns the reason to refuse the request, whatever the budgets allow.
    pub(super) const fn denial(&self) -> Option<Denial> {
        self.denial
    }

    /// Keeps the lease and the rates of a request that is admitted.
    pub(super) fn keep(mut self) {
        self.has_lease = false;
    }

    /// Gives back the lease and the rates of a request that is refused, or that took them when it first asked.
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
