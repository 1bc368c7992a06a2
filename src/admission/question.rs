//! What becomes of a question to the store whose answer did not come.

use std::sync::Arc;

use crate::limits::AdmitRequest;
use crate::limits::{RateRefund, Settlement};
use crate::settlement::Settler;
use crate::store::Store;
use crate::telemetry::traces::Span;

/// A question to the store, until it is answered. If the client leaves before, or the store does not answer in time, what the
/// store took for it is taken back, or what it would still take.
pub(super) struct Question<'a> {
    pub(super) ask: Arc<AdmitRequest>,
    store: &'a Store,
    settler: &'a Settler,
    is_open: bool,
}

impl<'a> Question<'a> {
    /// One that is about to be asked. What it took is taken back by `settler`.
    pub(super) fn new(ask: AdmitRequest, store: &'a Store, settler: &'a Settler) -> Self {
        Self { ask: Arc::new(ask), store, settler, is_open: true }
    }

    /// Leaves it at the answer; or it was never asked.
    pub(super) fn close(mut self) {
        self.is_open = false;
    }

    /// Takes back what the store took for it, or would still take: whatever the store says, it is not let in by that.
    pub(super) fn refuse(mut self) {
        self.is_open = false;
        self.void(RateRefund::of(&self.ask.limits));
    }

    fn void(&self, rates: RateRefund) {
        let at = self.store.now(&self.ask.subject);
        self.settler.settle(Settlement::void(&self.ask, at, rates), Span::default());
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // The client has left. Its request was tried, which is what the rates count.
            self.void(RateRefund::default());
        }
    }
}
