//! A request to the store, and the cleanup if no answer comes.

use std::sync::Arc;

use crate::limits::{AdmitRequest, RateRefund, Settlement};
use crate::settlement::Settler;
use crate::store::Store;
use crate::telemetry::traces::Span;

/// A request to the store, until its answer. If the client leaves before, or the store does not answer in time, a
/// settlement takes back anything that the store took for it, or would still take.
pub(super) struct PendingRequest<'a> {
    pub(super) request: Arc<AdmitRequest>,
    store: &'a Store,
    settler: &'a Settler,
    is_open: bool,
}

impl<'a> PendingRequest<'a> {
    /// Creates a request that is about to be sent. `settler` takes back its charge.
    pub(super) fn new(request: AdmitRequest, store: &'a Store, settler: &'a Settler) -> Self {
        Self { request: Arc::new(request), store, settler, is_open: true }
    }

    /// Keeps what the answer says; or the store was never asked.
    pub(super) fn keep(mut self) {
        self.is_open = false;
    }

    /// Takes back everything that the store took for the request. If the store admits it later, that no longer counts
    /// either.
    pub(super) fn take_back(mut self) {
        self.is_open = false;
        self.void(RateRefund::from_limits(&self.request.limits));
    }

    fn void(&self, rates: RateRefund) {
        let at = self.store.now(&self.request.subject);
        self.settler.settle(Settlement::void(&self.request, at, rates), Span::default());
    }
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // The client has left. Its request still counts against the rates.
            self.void(RateRefund::default());
        }
    }
}
