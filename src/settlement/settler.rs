//! Settlement in the background: no client waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::limits::{IfUnknown, Settlement};
use crate::store::{Store, StoreError};
use crate::telemetry::traces::Span;

/// A handle that writes settlements: first on the thread where the request ends, which saves the wake-up of another
/// thread (measured: a tenth of a small request). Settlements that the store does not take go to the
/// [`SettlementQueue`](super::queue::SettlementQueue).
#[derive(Debug, Clone)]
pub(crate) struct Settler {
    store: Arc<Store>,
    inbox: mpsc::UnboundedSender<Settlement>,
    counts: Arc<Backlog>,
    most: usize,
}

/// The counts of permits and settlements that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// The number of permits in use.
    pub(crate) held: AtomicUsize,
    /// The number of permits that were given without the store and are not settled.
    pub(crate) owed: AtomicUsize,
    /// The number of settlements that wait for the store to come back.
    pub(crate) waiting: AtomicUsize,
}

/// The number of permits and settlements that the store does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogSnapshot {
    /// The number of permits that were given without the store and are not settled.
    pub owed: usize,
    /// The number of settlements that wait for the store to come back.
    pub waiting: usize,
    /// The sum of `owed` and `waiting` from which on requests are refused while the store is away.
    pub most: usize,
}

impl Settler {
    /// Creates a settler that writes to `store`, or passes settlements to `inbox`. With `most` waiting, requests are
    /// refused while the store is away.
    pub(crate) fn new(
        store: Arc<Store>,
        inbox: mpsc::UnboundedSender<Settlement>,
        counts: Arc<Backlog>,
        most: usize,
    ) -> Self {
        Self { store, inbox, counts, most }
    }

    /// Writes a settlement in the background, as the step `span` of its request.
    pub(crate) fn settle(&self, settlement: Settlement, span: Span) {
        let usual = settlement.unknown == IfUnknown::Charge && !settlement.without_store;
        match Handle::try_current() {
            Ok(runtime) if usual => {
                self.begin();
                let hand = InlineWrite { settlement: Some(Arc::new(settlement)), settler: self.clone(), span };
                runtime.spawn(hand.write());
            }
            _ => self.hand_over(settlement, &span),
        }
    }

    fn hand_over(&self, settlement: Settlement, span: &Span) {
        // The time at which the store will take the settlement is unknown, so the step ends here.
        span.set("voxgate.deferred", true);
        let request_id = settlement.memo.request_id.clone();
        if self.inbox.send(settlement).is_err() {
            tracing::error!(request_id, "the gateway has stopped; a request keeps its estimate");
        }
    }

    /// Counts a permit from now on.
    pub(crate) fn begin(&self) {
        self.counts.held.fetch_add(1, Ordering::AcqRel);
    }

    /// Stops counting a permit, whose settlement is on its way.
    pub(crate) fn end(&self) {
        self.counts.held.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts a permit that was given without the store.
    pub(crate) fn owe(&self) {
        self.counts.owed.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of permits and settlements that the store does not know yet.
    pub(crate) fn pending(&self) -> BacklogSnapshot {
        let Backlog { owed, waiting, .. } = &*self.counts;
        let (owed, waiting) = (owed.load(Ordering::Relaxed), waiting.load(Ordering::Relaxed));
        BacklogSnapshot { owed, waiting, most: self.most }
    }

    /// Returns true if the backlog is full: it could not take another settlement, besides the waiting ones and those
    /// still to come.
    pub(crate) fn is_full(&self) -> bool {
        let BacklogSnapshot { owed, waiting, most } = self.pending();
        owed.saturating_add(waiting) >= most
    }
}

/// A settlement that is being written. If its runtime ends first, the queue takes it over.
struct InlineWrite {
    settlement: Option<Arc<Settlement>>,
    settler: Settler,
    span: Span,
}

impl InlineWrite {
    async fn write(mut self) {
        let Some(settlement) = self.settlement.clone() else { return };
        match self.settler.store.settle(settlement).await {
            Ok(()) => self.settlement = None,
            Err(failure) => self.give_up(&failure),
        }
    }

    fn give_up(&mut self, failure: &StoreError) {
        if let Some(settlement) = self.settlement.take() {
            self.settler
                .hand_over(Arc::unwrap_or_clone(settlement).after_failure(failure.may_have_been_done()), &self.span);
        }
    }
}

impl Drop for InlineWrite {
    fn drop(&mut self) {
        // The runtime has ended while the store was asked.
        self.give_up(&StoreError::Slow);
        self.settler.end();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::task::yield_now;

    use super::*;
    use crate::config;
    use crate::limits::clock::Clock;
    use crate::settlement::journal::tests::settlement;
    use crate::store::Redis;

    #[test]
    fn what_is_being_settled_when_its_thread_ends_is_the_desks_and_counts_as_tried() {
        // This server accepts connections and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", silent.local_addr().unwrap()).parse().unwrap();
        let redis = config::Redis { url, timeout: Duration::from_mins(1), namespace: config::Namespace::default() };
        let (inbox, mut incoming) = mpsc::unbounded_channel();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let counts = Arc::new(Backlog::default());
        runtime.block_on(async {
            let store = Redis::new(&redis, Duration::from_hours(1), Clock::system(), inbox.clone()).unwrap();
            let store = Arc::new(Store::Redis(store));
            let settler = Settler { store, inbox, counts: Arc::clone(&counts), most: 10 };
            settler.settle(settlement(), Span::default());
            yield_now().await;
        });
        assert!(incoming.try_recv().is_err(), "it is being written");
        assert_eq!(counts.held.load(Ordering::Acquire), 1, "the desk waits for it");
        drop(runtime);
        let handed = incoming.try_recv().unwrap();
        assert!(handed.tried);
        assert_eq!(counts.held.load(Ordering::Acquire), 0);
    }
}
