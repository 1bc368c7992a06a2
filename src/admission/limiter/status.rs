//! The knowledge of the limiter, and the parts of it that permits and sessions share.

use std::sync::Arc;

use super::Limiter;
use crate::admission::uploads::UploadsInProgress;
use crate::config::Settings;
use crate::domain::{Month, Subject};
use crate::ledger::{Charge, Entry, Statement, Totals};
use crate::limits::RateReset;
use crate::limits::leases::Leases;
use crate::sessions::{Revocations, Sessions};
use crate::settlement::{BacklogSnapshot, Settler};
use crate::store::{Availability, StoreError};

impl Limiter {
    /// Returns the revoked tokens.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Returns the sessions of every maker, by these settings.
    pub fn sessions(&self, settings: &Settings) -> Sessions {
        let (store, rates) = (Arc::clone(&self.store), Arc::clone(&self.rates));
        Sessions::new(settings, store, rates, Arc::clone(&self.revocations))
    }

    /// Returns the times until the caller's buckets are full again, as far as this process knows.
    pub fn time_until_full(&self, subject: &Subject) -> RateReset {
        self.rates.time_until_full(subject)
    }

    /// Returns a caller's usage in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        self.store.statement(subject, month).await
    }

    /// Returns the newest record of a caller's request, open or settled.
    pub async fn request(&self, subject: &Subject, request_id: &str) -> Result<Option<Entry>, StoreError> {
        self.store.request(subject, request_id).await
    }

    /// Returns the settled usage of all callers in a month.
    pub async fn totals(&self, month: Month) -> Result<Totals, StoreError> {
        self.store.totals(month).await
    }

    /// Returns the last settled records, newest first.
    pub async fn recent(&self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.recent(limit).await
    }

    /// Returns a caller's spending this month, by the latest answer of the store.
    pub fn spent(&self, subject: &Subject) -> Charge {
        self.budgets.spent(subject, self.month(subject))
    }

    /// Returns the current month by the clock that decides for a caller.
    pub fn month(&self, subject: &Subject) -> Month {
        Month::of(self.store.now(subject))
    }

    /// Returns the number of a caller's requests that are in flight in this process.
    pub fn in_flight(&self, subject: &Subject) -> u32 {
        self.leases.in_flight(subject)
    }

    /// Returns the availability of the store.
    pub fn availability(&self) -> Availability {
        self.store.availability()
    }

    /// Returns true if every request must be refused.
    pub fn is_unavailable(&self) -> bool {
        self.store.availability() == Availability::Down && self.requires_store()
    }

    /// Returns the settler of permits.
    pub(in crate::admission) fn settler(&self) -> Settler {
        self.settler.clone()
    }

    /// Returns the number of permits and settlements that the store does not know yet.
    pub fn pending(&self) -> BacklogSnapshot {
        self.settler.pending()
    }

    /// Returns the counts of uploads in progress.
    pub(in crate::admission) fn uploads(&self) -> &Arc<UploadsInProgress> {
        &self.uploads
    }

    /// Returns the leases of the requests in flight in this process.
    pub(in crate::admission) fn leases(&self) -> Arc<Leases> {
        Arc::clone(&self.leases)
    }
}
