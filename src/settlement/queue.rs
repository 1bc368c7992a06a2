//! A background queue that retries settlements until the store accepts them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fmt, io};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::journal::Journal;
use super::settler::{Backlog, Settler};
use crate::domain::Month;
use crate::ledger::{Charge, PermitId};
use crate::limits::{BudgetCache, Settlement};
use crate::store::{Store, StoreError};

/// The maximum number of settlements that are written at the same time.
const MAX_CONCURRENT_WRITES: usize = 128;
/// The interval between attempts to write some of the waiting settlements.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// The number of waiting settlements per attempt: few, since the store has other requests to serve.
const MAX_ATTEMPTS_PER_RETRY: usize = 16;
/// The time for which the shutdown of the gateway waits for permits whose connections are already closed.
const CLOSE_GRACE: Duration = Duration::from_secs(3);

/// The running queue.
pub struct SettlementQueue {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
    backlog: Arc<Backlog>,
}

/// The inbox and the journal of a queue that does not run yet.
pub(crate) struct SettlementQueueBuilder {
    inbox: mpsc::UnboundedSender<Settlement>,
    backlog: Arc<Backlog>,
    max: usize,
    incoming: mpsc::UnboundedReceiver<Settlement>,
    journal: Journal,
}

impl SettlementQueueBuilder {
    /// Takes over the settlements that dead processes left in `folder`. With `max` waiting, requests are refused while
    /// the store is away.
    pub(crate) fn new(folder: &Path, max: usize) -> io::Result<Self> {
        let (inbox, incoming) = mpsc::unbounded_channel();
        let journal = Journal::open(folder, max)?;
        let backlog = Backlog { waiting: AtomicUsize::new(journal.len()), ..Backlog::default() };
        Ok(Self { inbox, backlog: Arc::new(backlog), max, incoming, journal })
    }

    /// Returns a settler that writes settlements to `store`, or passes them to this queue.
    pub(crate) fn settler(&self, store: &Arc<Store>) -> Settler {
        let (inbox, backlog) = (self.inbox.clone(), Arc::clone(&self.backlog));
        Settler::new(Arc::clone(store), inbox, backlog, self.max)
    }

    /// Returns the inbox, for settlements on behalf of dead gateways.
    pub(crate) fn inbox(&self) -> mpsc::UnboundedSender<Settlement> {
        self.inbox.clone()
    }

    /// Starts to write to `store`. Call it on the runtime that ends last.
    pub(crate) fn open(self, store: Arc<Store>, budgets: Arc<BudgetCache>) -> SettlementQueue {
        let (close, closing) = oneshot::channel();
        let backlog = self.backlog;
        let worker =
            SettlementWorker { store, budgets, journal: self.journal, backlog: Arc::clone(&backlog), last: None };
        SettlementQueue { close, task: tokio::spawn(worker.run(self.incoming, closing)), backlog }
    }
}

impl SettlementQueue {
    /// Writes the settlements of the queue and ends it. Settlements that the store does not take stay on disk for the
    /// next gateway.
    pub async fn close(self) {
        // A worker drops the permit of a closed connection only when it next polls that connection.
        let deadline = Instant::now() + CLOSE_GRACE;
        while self.backlog.held.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
        let _ = self.close.send(());
        if self.task.await.is_err() {
            tracing::error!("settlements could not be finished");
        }
    }
}

impl fmt::Debug for SettlementQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettlementQueue").finish_non_exhaustive()
    }
}

struct SettlementWorker {
    store: Arc<Store>,
    budgets: Arc<BudgetCache>,
    journal: Journal,
    backlog: Arc<Backlog>,
    /// The waiting settlement that was last attempted.
    last: Option<PermitId>,
}

impl SettlementWorker {
    async fn run(mut self, mut incoming: mpsc::UnboundedReceiver<Settlement>, mut closing: oneshot::Receiver<()>) {
        let (mut writing, mut retrying) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut retry = interval(RETRY_INTERVAL);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            tokio::select! {
                Some(settlement) = incoming.recv(), if writing.len() < MAX_CONCURRENT_WRITES => {
                    writing.push(write(Arc::clone(&self.store), settlement));
                }
                Some((settlement, result)) = writing.next(), if !writing.is_empty() => {
                    self.record_result(settlement, result, false);
                }
                Some((settlement, result)) = retrying.next(), if !retrying.is_empty() => {
                    self.record_result(settlement, result, true);
                }
                _ = retry.tick(), if open && retrying.is_empty() => {
                    for settlement in self.next_attempts() {
                        retrying.push(write(Arc::clone(&self.store), settlement));
                    }
                }
                _ = &mut closing, if open => {
                    open = false;
                    // Earlier settlements are in the channel already; later ones cannot enter it.
                    incoming.close();
                }
                else => break,
            }
        }
        let left = self.journal.len();
        if left > 0 {
            tracing::warn!(left, "settlements wait on disk for the store, and for the next gateway");
        }
    }

    fn record_result(&mut self, settlement: Arc<Settlement>, result: Result<(), StoreError>, again: bool) {
        if settlement.without_store && !again {
            // From here on the settlement is written, or it waits.
            let _ = self.backlog.owed.try_update(Ordering::Relaxed, Ordering::Relaxed, |owed| owed.checked_sub(1));
        }
        match result {
            Ok(()) => {
                self.release_local(&settlement);
                if again {
                    self.journal.remove(settlement.id);
                }
            }
            Err(StoreError::Rejected(cause)) if again => {
                tracing::error!(
                    cause,
                    request_id = settlement.info.request_id,
                    "the store does not take a settlement; it stays on disk for the next gateway"
                );
                self.journal.set_aside(settlement.id);
            }
            Err(failure) if !again => {
                self.journal.add(Arc::unwrap_or_clone(settlement).after_failure(failure.may_have_been_done()));
            }
            Err(_) => {}
        }
        self.backlog.waiting.store(self.journal.len(), Ordering::Relaxed);
    }

    /// Notes that the store knows of a charge that this process has allowed without it.
    fn release_local(&self, settlement: &Settlement) {
        let Settlement { subject, at, estimate, cost, owed, .. } = settlement;
        let owed = if settlement.without_store { *estimate } else { *owed };
        if owed != Charge::NONE {
            // The rest is in the store's answers.
            let local_cost = cost.minus(estimate.minus(owed));
            self.budgets.record_settled(subject, Month::of(*at), owed, local_cost);
        }
    }

    /// Returns the next waiting settlements, without those whose part of the store is away.
    fn next_attempts(&mut self) -> Vec<Settlement> {
        let mut next = self.journal.after(self.last, MAX_ATTEMPTS_PER_RETRY);
        self.last = next.last().map(|settlement| settlement.id);
        next.retain(|settlement| !self.store.is_down_for(&settlement.subject));
        for first in next.iter().filter(|settlement| !settlement.tried) {
            // Note the attempt on disk before it starts. A gateway that takes this journal over must know that its own
            // attempt is not the first.
            self.journal.add(Settlement { tried: true, ..first.clone() });
        }
        next
    }
}

async fn write(store: Arc<Store>, settlement: Settlement) -> (Arc<Settlement>, Result<(), StoreError>) {
    let settlement = Arc::new(settlement);
    let result = store.settle(Arc::clone(&settlement)).await;
    (settlement, result)
}
