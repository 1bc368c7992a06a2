//! Tests of the queue over a store whose jobs are done by hand. Time is paused.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::{SettlementQueue, SettlementQueueBuilder, Settler};
use crate::config::Namespace;
use crate::domain::{Month, UnixMs};
use crate::ledger::Tally;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::{BudgetCache, Limits, Settlement};
use crate::store::embedded::{ManualThreads, Reader};
use crate::store::tests::bench::{KEEP, START, ask, charge, settlement, subject};
use crate::store::tests::{Fault, Faults};
use crate::store::{Embedded, Store};
use crate::telemetry::traces::Span;

/// Longer than the interval between attempts.
const RETRY: Duration = Duration::from_millis(60);
/// Longer than the time for which a request waits for the disk.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);

struct Bench {
    store: Arc<Store>,
    threads: ManualThreads,
    settler: Settler,
    queue: SettlementQueue,
    clock: Clock,
    data: TempDir,
    journal: TempDir,
}

impl Bench {
    fn new() -> Self {
        let (clock, data, journal) =
            (Clock::manual(UnixMs::new(START)), TempDir::new().unwrap(), TempDir::new().unwrap());
        let (rates, leases) = (Arc::new(Rates::new(clock.clone())), Arc::new(Leases::new(clock.clone())));
        let (store, threads) = Embedded::manual(data.path(), KEEP, rates, leases, clock.clone());
        let store = Arc::new(Store::Embedded(store));
        let builder = SettlementQueueBuilder::new(journal.path(), 10).unwrap();
        let settler = builder.settler(&store);
        let queue = builder.open(Arc::clone(&store), Arc::new(BudgetCache::new(clock.clone())));
        Self { store, threads, settler, queue, clock, data, journal }
    }

    /// Settles a permit that was given without the store, as the queue does.
    fn settle_local(&self) {
        let asked = ask(&subject("alice"), Limits::default(), charge(5, 1));
        self.settler.track_local();
        let settlement = settlement(&asked, self.clock.now(), charge(3, 1));
        self.settler.settle(Settlement { without_store: true, ..settlement }, Span::default());
    }

    /// Lets time pass, with these faults for the next settlements.
    async fn pass(&mut self, time: Duration, faults: &[Fault]) {
        let mut faults: Faults = faults.iter().copied().collect();
        let step = Duration::from_millis(20);
        let mut left = time;
        while !left.is_zero() {
            for _ in 0..8 {
                tokio::task::yield_now().await;
                self.threads.pump(&mut faults);
            }
            let step = step.min(left);
            self.clock.advance(step);
            tokio::time::advance(step).await;
            left = left.saturating_sub(step);
        }
    }

    fn total(&self) -> Tally {
        let reader = Reader::open(self.data.path(), Namespace::default()).unwrap().unwrap();
        reader.statement(&subject("alice"), Month::of(self.clock.now())).unwrap().total
    }

    fn backlog(&self) -> (usize, usize) {
        let backlog = self.settler.pending();
        (backlog.owed, backlog.waiting)
    }
}

#[tokio::test(start_paused = true)]
async fn a_settlement_is_written_at_once_and_owed_no_longer() {
    let mut bench = Bench::new();
    bench.settle_local();
    assert_eq!(bench.backlog(), (1, 0));
    bench.pass(RETRY, &[]).await;
    assert_eq!((bench.backlog(), bench.total().charge()), ((0, 0), charge(3, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_fails_waits_until_the_store_takes_it_once() {
    let mut bench = Bench::new();
    bench.settle_local();
    bench.pass(RETRY, &[Fault::Fails]).await;
    assert_eq!((bench.backlog(), bench.total()), ((0, 1), Tally::default()));
    // A store that could not be written is probed by its maintenance alone.
    let store = Arc::clone(&bench.store);
    let maintaining = tokio::spawn(async move { store.maintain().await });
    bench.pass(RETRY, &[]).await;
    maintaining.await.unwrap();
    bench.pass(RETRY * 4, &[]).await;
    assert_eq!((bench.backlog(), bench.total().charge()), ((0, 0), charge(3, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_settlement_whose_answer_is_lost_is_written_once() {
    let mut bench = Bench::new();
    bench.settle_local();
    bench.pass(STORE_TIMEOUT, &[Fault::AnswerLost]).await;
    let store = Arc::clone(&bench.store);
    let maintaining = tokio::spawn(async move { store.maintain().await });
    bench.pass(RETRY * 4, &[]).await;
    maintaining.await.unwrap();
    bench.pass(RETRY * 4, &[]).await;
    assert_eq!((bench.backlog(), bench.total().requests), ((0, 0), 1));
    assert_eq!(bench.total().charge(), charge(3, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_does_not_take_is_the_next_gateways() {
    let mut bench = Bench::new();
    bench.settle_local();
    bench.pass(RETRY, &[Fault::Fails]).await;
    let Bench { queue, settler, journal, .. } = bench;
    drop(settler);
    queue.close().await;
    let next = SettlementQueueBuilder::new(journal.path(), 10).unwrap();
    let store = Bench::new();
    let settler = next.settler(&store.store);
    assert_eq!((settler.pending().owed, settler.pending().waiting), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_is_told() {
    let mut bench = Bench::new();
    for _ in 0..9 {
        bench.settle_local();
    }
    assert!(!bench.settler.is_full());
    bench.settle_local();
    assert!(bench.settler.is_full());
    bench.pass(RETRY, &[]).await;
    assert!(!bench.settler.is_full());
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_permits_in_use() {
    let bench = Bench::new();
    let held = bench.settler.hold();
    let closing = tokio::spawn(bench.queue.close());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!closing.is_finished());
    drop((held, bench.settler));
    closing.await.unwrap();
}
