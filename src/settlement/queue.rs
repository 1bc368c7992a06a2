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
use crate::ledger::PermitId;
use crate::limits::{BudgetCache, Settlement};
use crate::store::{Store, StoreError};

/// The maximum number of settlements that are written at the same time.
const AT_ONCE: usize = 128;
/// The interval between attempts to write some of the waiting settlements.
const RETRY: Duration = Duration::from_millis(50);
/// The number of waiting settlements per attempt: few, since the store has other requests to serve.
const ATTEMPTS: usize = 16;
/// The time for which the shutdown of the gateway waits for permits whose connections are already closed.
const LAST_PERMITS: Duration = Duration::from_secs(3);

/// The running queue.
pub struct SettlementQueue {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
    counts: Arc<Backlog>,
}

/// The inbox and the journal of a queue that does not run yet.
pub(crate) struct SettlementQueueBuilder {
    inbox: mpsc::UnboundedSender<Settlement>,
    counts: Arc<Backlog>,
    most: usize,
    incoming: mpsc::UnboundedReceiver<Settlement>,
    journal: Journal,
}

impl SettlementQueueBuilder {
    /// Takes over the settlements that dead processes left in `folder`. With `most` waiting, requests are refused while
    /// the store is away.
    pub(crate) fn new(folder: &Path, most: usize) -> io::Result<Self> {
        let (inbox, incoming) = mpsc::unbounded_channel();
        let journal = Journal::open(folder, most)?;
        let counts = Backlog { waiting: AtomicUsize::new(journal.len()), ..Backlog::default() };
        Ok(Self { inbox, counts: Arc::new(counts), most, incoming, journal })
    }

    /// Returns a settler that writes settlements to `store`, or passes them to this queue.
    pub(crate) fn settler(&self, store: &Arc<Store>) -> Settler {
        let (inbox, counts) = (self.inbox.clone(), Arc::clone(&self.counts));
        Settler::new(Arc::clone(store), inbox, counts, self.most)
    }

    /// Returns the inbox, for settlements on behalf of dead gateways.
    pub(crate) fn inbox(&self) -> mpsc::UnboundedSender<Settlement> {
        self.inbox.clone()
    }

    /// Starts to write to `store`. Call it on the runtime that ends last.
    pub(crate) fn open(self, store: Arc<Store>, heard: Arc<BudgetCache>) -> SettlementQueue {
        let (close, closing) = oneshot::channel();
        let counts = self.counts;
        let clerk = SettlementWorker { store, heard, journal: self.journal, counts: Arc::clone(&counts), last: None };
        SettlementQueue { close, task: tokio::spawn(clerk.work(self.incoming, closing)), counts }
    }
}

impl SettlementQueue {
    /// Writes the settlements of the queue and ends it. Settlements that the store does not take stay on disk for the
    /// next gateway.
    pub async fn close(self) {
        // A worker drops the permit of a closed connection only when it next polls that connection.
        let deadline = Instant::now() + LAST_PERMITS;
        while self.counts.held.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
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
    heard: Arc<BudgetCache>,
    journal: Journal,
    counts: Arc<Backlog>,
    /// The waiting settlement that was last attempted.
    last: Option<PermitId>,
}

impl SettlementWorker {
    async fn work(mut self, mut incoming: mpsc::UnboundedReceiver<Settlement>, mut closing: oneshot::Receiver<()>) {
        let (mut writing, mut retrying) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            tokio::select! {
                Some(settlement) = incoming.recv(), if writing.len() < AT_ONCE => {
                    writing.push(write(Arc::clone(&self.store), settlement));
                }
                Some((settlement, result)) = writing.next(), if !writing.is_empty() => {
                    self.written(settlement, result, false);
                }
                Some((settlement, result)) = retrying.next(), if !retrying.is_empty() => {
                    self.written(settlement, result, true);
                }
                _ = retry.tick(), if open && retrying.is_empty() => {
                    for settlement in self.next_tries() {
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

    fn written(&mut self, settlement: Arc<Settlement>, result: Result<(), StoreError>, again: bool) {
        if settlement.without_store && !again {
            // From here on the settlement is written, or it waits.
            let _ = self.counts.owed.try_update(Ordering::Relaxed, Ordering::Relaxed, |owed| owed.checked_sub(1));
        }
        match result {
            Ok(()) => {
                if settlement.without_store {
                    let month = Month::of(settlement.at);
                    self.heard.settled(&settlement.subject, month, settlement.estimate, settlement.cost);
                }
                if again {
                    self.journal.done(settlement.id);
                }
            }
            Err(StoreError::Refused(cause)) if again => {
                tracing::error!(
                    cause,
                    request_id = settlement.memo.request_id,
                    "the store does not take a settlement; it stays on disk for the next gateway"
                );
                self.journal.set_aside(settlement.id);
            }
            Err(failure) if !again => {
                self.journal.keep(Arc::unwrap_or_clone(settlement).after_failure(failure.may_have_been_done()));
            }
            Err(_) => {}
        }
        self.counts.waiting.store(self.journal.len(), Ordering::Relaxed);
    }

    /// Returns the next waiting settlements, without those whose part of the store is away.
    fn next_tries(&mut self) -> Vec<Settlement> {
        let mut next = self.journal.after(self.last, ATTEMPTS);
        self.last = next.last().map(|settlement| settlement.id);
        next.retain(|settlement| !self.store.is_away_for(&settlement.subject));
        for first in next.iter().filter(|settlement| !settlement.tried) {
            // Note the attempt on disk before it starts: a gateway that takes over must not mistake its own for the
            // first.
            self.journal.keep(Settlement { tried: true, ..first.clone() });
        }
        next
    }
}

async fn write(store: Arc<Store>, settlement: Settlement) -> (Arc<Settlement>, Result<(), StoreError>) {
    let settlement = Arc::new(settlement);
    let result = store.settle(Arc::clone(&settlement)).await;
    (settlement, result)
}
