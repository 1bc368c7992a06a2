//! Where settlements are written that were not at once, until it is done: a store that is away may come back.

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
use crate::limits::budget_cache::BudgetCache;
use crate::limits::Settlement;
use crate::store::{Store, StoreError};

/// How many are written at once.
const AT_ONCE: usize = 128;
/// How often the store is tried with some of those that wait.
const RETRY: Duration = Duration::from_millis(50);
/// How many it is tried with: few, since it has others to serve.
const ATTEMPTS: usize = 16;
/// How long the end of the gateway waits for permits that are still held, when their connections are closed already.
const LAST_PERMITS: Duration = Duration::from_secs(3);

/// Where settlements are written that were not at once.
pub struct SettlementQueue {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
    counts: Arc<Backlog>,
}

/// What comes in before the desk is open.
pub(crate) struct SettlementQueueBuilder {
    inbox: mpsc::UnboundedSender<Settlement>,
    counts: Arc<Backlog>,
    most: usize,
    incoming: mpsc::UnboundedReceiver<Settlement>,
    journal: Journal,
}

impl SettlementQueueBuilder {
    /// Takes over what other processes left in `folder`. Nobody is let in without the store while `most` wait.
    pub(crate) fn new(folder: &Path, most: usize) -> io::Result<Self> {
        let (inbox, incoming) = mpsc::unbounded_channel();
        let journal = Journal::open(folder, most)?;
        let counts = Backlog { waiting: AtomicUsize::new(journal.len()), ..Backlog::default() };
        Ok(Self { inbox, counts: Arc::new(counts), most, incoming, journal })
    }

    /// Writes settlements to `store`, or hands them to it.
    pub(crate) fn settler(&self, store: &Arc<Store>) -> Settler {
        let (inbox, counts) = (self.inbox.clone(), Arc::clone(&self.counts));
        Settler::new(Arc::clone(store), inbox, counts, self.most)
    }

    /// The way in, for what is settled on behalf of others.
    pub(crate) fn inbox(&self) -> mpsc::UnboundedSender<Settlement> {
        self.inbox.clone()
    }

    /// Begins to write to `store`. To be called on the runtime that ends last.
    pub(crate) fn open(self, store: Arc<Store>, heard: Arc<BudgetCache>) -> SettlementQueue {
        let (close, closing) = oneshot::channel();
        let counts = self.counts;
        let clerk = SettlementWorker { store, heard, journal: self.journal, counts: Arc::clone(&counts), last: None };
        SettlementQueue { close, task: tokio::spawn(clerk.work(self.incoming, closing)), counts }
    }
}

impl SettlementQueue {
    /// Writes what is there and ends. What the store does not take then stays on disk for the next gateway.
    pub async fn close(self) {
        // A connection that was closed lets go of its permit when its worker comes to it.
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
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

struct SettlementWorker {
    store: Arc<Store>,
    heard: Arc<BudgetCache>,
    journal: Journal,
    counts: Arc<Backlog>,
    /// The last of those that wait that was tried again.
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
                    // Whatever was sent before this is in the channel; nothing comes after it.
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
            // From here on it is written, or it waits.
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

    /// The next of those that wait, but for those whose part of the store is away.
    fn next_tries(&mut self) -> Vec<Settlement> {
        let mut next = self.journal.after(self.last, ATTEMPTS);
        self.last = next.last().map(|settlement| settlement.id);
        next.retain(|settlement| !self.store.is_away_for(&settlement.subject));
        for first in next.iter().filter(|settlement| !settlement.tried) {
            // On disk before it happens: whoever takes over from here must not take this for the first try.
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
