//! Settlement in the background: no client waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::ledger::Charge;
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
    backlog: Arc<Backlog>,
    max: usize,
}

/// The backlog of permits and settlements that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// The number of permits in use.
    pub(crate) held: AtomicUsize,
    /// The number of permits that were given without the store and are not settled.
    pub(crate) owed: AtomicUsize,
    /// The number of settlements that wait for the store to come back.
    pub(crate) waiting: AtomicUsize,
}

/// A guard that counts a permit, or a settlement that is being written, as held.
#[derive(Debug)]
pub(crate) struct HeldPermit(Arc<Backlog>);

impl HeldPermit {
    fn new(backlog: Arc<Backlog>) -> Self {
        backlog.held.fetch_add(1, Ordering::AcqRel);
        Self(backlog)
    }
}

impl Drop for HeldPermit {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The number of permits and settlements that the store does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogSnapshot {
    /// The number of permits that were given without the store and are not settled.
    pub owed: usize,
    /// The number of settlements that wait for the store to come back.
    pub waiting: usize,
    /// The sum of `owed` and `waiting` from which on requests are refused while the store is away.
    pub max: usize,
}

impl Settler {
    /// Creates a settler that writes to `store`, or passes settlements to `inbox`. With `max` waiting, requests are
    /// refused while the store is away.
    pub(crate) fn new(
        store: Arc<Store>,
        inbox: mpsc::UnboundedSender<Settlement>,
        backlog: Arc<Backlog>,
        max: usize,
    ) -> Self {
        Self { store, inbox, backlog, max }
    }

    /// Writes a settlement in the background, as the step `span` of its request.
    pub(crate) fn settle(&self, settlement: Settlement, span: Span) {
        let is_usual =
            settlement.unknown == IfUnknown::Charge && !settlement.without_store && settlement.owed == Charge::NONE;
        match Handle::try_current() {
            Ok(runtime) if is_usual => {
                let (settler, held) = (self.clone(), self.hold());
                let write = InlineWrite { settlement: Some(Arc::new(settlement)), settler, span, _held: held };
                runtime.spawn(write.run());
            }
            _ => self.enqueue(settlement, &span),
        }
    }

    fn enqueue(&self, settlement: Settlement, span: &Span) {
        // The time at which the store will take the settlement is unknown, so the step ends here.
        span.set("voxgate.deferred", true);
        let request_id = settlement.info.request_id.clone();
        if self.inbox.send(settlement).is_err() {
            tracing::error!(request_id, "the gateway has stopped; a request keeps its estimate");
        }
    }

    /// Counts a permit until the returned guard is dropped: then its settlement must be on its way.
    pub(crate) fn hold(&self) -> HeldPermit {
        HeldPermit::new(Arc::clone(&self.backlog))
    }

    /// Counts a permit that was given without the store.
    pub(crate) fn track_local(&self) {
        self.backlog.owed.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of permits and settlements that the store does not know yet.
    pub(crate) fn pending(&self) -> BacklogSnapshot {
        let Backlog { owed, waiting, .. } = &*self.backlog;
        let (owed, waiting) = (owed.load(Ordering::Relaxed), waiting.load(Ordering::Relaxed));
        BacklogSnapshot { owed, waiting, max: self.max }
    }

    /// Returns true if the backlog is full: it could not take another settlement, besides the waiting ones and those
    /// still to come.
    pub(crate) fn is_full(&self) -> bool {
        let BacklogSnapshot { owed, waiting, max } = self.pending();
        owed.saturating_add(waiting) >= max
    }
}

/// A settlement that is being written. If its runtime ends first, the queue takes it over.
struct InlineWrite {
    settlement: Option<Arc<Settlement>>,
    settler: Settler,
    span: Span,
    _held: HeldPermit,
}

impl InlineWrite {
    async fn run(mut self) {
        let Some(settlement) = self.settlement.clone() else { return };
        match self.settler.store.settle(settlement).await {
            Ok(()) => self.settlement = None,
            Err(failure) => self.give_up(&failure),
        }
    }

    fn give_up(&mut self, failure: &StoreError) {
        if let Some(settlement) = self.settlement.take() {
            self.settler
                .enqueue(Arc::unwrap_or_clone(settlement).after_failure(failure.may_have_been_done()), &self.span);
        }
    }
}

impl Drop for InlineWrite {
    fn drop(&mut self) {
        // The runtime has ended while the store was asked.
        self.give_up(&StoreError::Timeout);
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
    fn an_abandoned_settlement_goes_to_the_queue_as_tried() {
        // This server accepts connections and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", silent.local_addr().unwrap()).parse().unwrap();
        let redis = config::Redis { url, timeout: Duration::from_mins(1), namespace: config::Namespace::default() };
        let (inbox, mut incoming) = mpsc::unbounded_channel();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let backlog = Arc::new(Backlog::default());
        runtime.block_on(async {
            let store = Redis::new(&redis, Duration::from_hours(1), Clock::system(), inbox.clone()).unwrap();
            let store = Arc::new(Store::Redis(store));
            let settler = Settler { store, inbox, backlog: Arc::clone(&backlog), max: 10 };
            settler.settle(settlement(), Span::default());
            yield_now().await;
        });
        assert!(incoming.try_recv().is_err(), "it is being written");
        assert_eq!(backlog.held.load(Ordering::Acquire), 1, "the queue waits for it");
        drop(runtime);
        let queued = incoming.try_recv().unwrap();
        assert!(queued.tried);
        assert_eq!(backlog.held.load(Ordering::Acquire), 0);
    }
}
