//! A question to the store, and the cleanup if no answer comes.

use std::sync::Arc;

use crate::limits::{AdmitRequest, RateRefund, Settlement};
use crate::settlement::Settler;
use crate::store::Store;
use crate::telemetry::traces::Span;

/// A question to the store, until its answer. If the client leaves before, or the store does not answer in time, a
/// settlement takes back anything that the store took for it, or would still take.
pub(super) struct Question<'a> {
    pub(super) ask: Arc<AdmitRequest>,
    store: &'a Store,
    settler: &'a Settler,
    is_open: bool,
}

impl<'a> Question<'a> {
    /// Creates a question that is about to be asked. `settler` takes back its charge.
    pub(super) fn new(ask: AdmitRequest, store: &'a Store, settler: &'a Settler) -> Self {
        Self { ask: Arc::new(ask), store, settler, is_open: true }
    }

    /// Closes the question: the answer stands, or the store was never asked.
    pub(super) fn close(mut self) {
        self.is_open = false;
    }

    /// Takes back anything that the store took for the question, or would still take: even an answer that admits no
    /// longer counts.
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
            // The client has left. Its request still counts against the rates.
            self.void(RateRefund::default());
        }
    }
}
