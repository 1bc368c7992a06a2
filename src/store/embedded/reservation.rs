//! The rates and the lease that one request takes in this process.

use std::sync::Arc;

use crate::limits::leases::{Added, Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{AdmitRequest, Denial};

/// The rates and the lease of a request while the thread decides on it. Dropping it ends the lease; the rates stay
/// taken unless they are given back, since the attempt of a client that leaves still counts.
pub(super) struct LocalReservation<'a> {
    rates: &'a Rates,
    leases: &'a Leases,
    request: Arc<AdmitRequest>,
    has_rates: bool,
    has_lease: bool,
    denial: Option<Denial>,
}

impl<'a> LocalReservation<'a> {
    /// Takes the rates and a lease, or nothing.
    pub(super) fn take(rates: &'a Rates, leases: &'a Leases, request: Arc<AdmitRequest>) -> Self {
        let mut reservation = Self { rates, leases, request, has_rates: false, has_lease: false, denial: None };
        let AdmitRequest { id, subject, limits, lease, .. } = &*reservation.request;
        match leases.add_below(limits.concurrent, subject, *id, *lease, Granted::ByStore) {
            // The same request asks again: it has everything already.
            Added::WasThere => return reservation,
            Added::New => reservation.has_lease = true,
            Added::Full => {}
        }
        // If both refuse, report the rates.
        reservation.denial = if reservation.has_lease {
            rates.take(subject, limits).err()
        } else {
            Some(rates.peek(subject, limits).err().unwrap_or(Denial::Concurrency))
        };
        reservation.has_rates = reservation.denial.is_none();
        if reservation.denial.is_some() {
            reservation.end_lease();
        }
        reservation
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
            self.rates.give_back(&self.request.subject, &self.request.limits);
        }
    }

    fn end_lease(&mut self) {
        if std::mem::take(&mut self.has_lease) {
            self.leases.end(&self.request.subject, self.request.id);
        }
    }
}

impl Drop for LocalReservation<'_> {
    fn drop(&mut self) {
        self.end_lease();
    }
}
