//! Tests of the limiter over a store whose jobs are done by hand: the store is up, slow or down. Time is paused.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::admission::limiter::{Limiter, LimiterDecision, LimiterParts, Unavailable};
use crate::config::{Namespace, OnStoreFailure};
use crate::domain::{AudioMs, Month, UnixMs};
use crate::ledger::{Charge, Tally};
use crate::limits::clock::Clock;
use crate::limits::leases::{Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{Denial, Limits, Settlement};
use crate::settlement::{SettlementQueue, SettlementQueueBuilder};
use crate::store::embedded::{ManualThreads, Reader};
use crate::store::tests::Faults;
use crate::store::tests::bench::{KEEP, START, ask, charge, settlement, subject};
use crate::store::{Embedded, Store};
use crate::telemetry::traces::Span;

/// Longer than the time for which a request waits for the disk.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_millis(2100);
/// Longer than the interval between checks of the store.
pub(super) const RECOVERY: Duration = Duration::from_secs(4);

type Deciding = JoinHandle<Result<LimiterDecision, Unavailable>>;

/// A limiter with the store's own rates, or, as in front of Redis, with separate ones.
pub(super) struct Bench {
    pub(super) limiter: Arc<Limiter>,
    pub(super) store: Arc<Store>,
    pub(super) threads: ManualThreads,
    clock: Clock,
    data: TempDir,
    _queue: SettlementQueue,
    _journal: TempDir,
}

pub(super) const LIMITS: Limits = Limits {
    requests: None,
    audio: None,
    concurrent: NonZeroU32::new(3),
    monthly_usd: None,
    monthly_audio: Some(AudioMs::new(10)),
};

impl Bench {
    pub(super) fn new(on_failure: OnStoreFailure, in_front: bool) -> Self {
        let (clock, data, journal) =
            (Clock::manual(UnixMs::new(START)), TempDir::new().unwrap(), TempDir::new().unwrap());
        let rates = || Arc::new(Rates::new(clock.clone()));
        let leases = || Arc::new(Leases::new(clock.clone()));
        let (own_rates, own_leases) = (rates(), leases());
        let (store, threads) =
            Embedded::manual(data.path(), KEEP, Arc::clone(&own_rates), Arc::clone(&own_leases), clock.clone());
        let store = Arc::new(Store::Embedded(store));
        let builder = SettlementQueueBuilder::new(journal.path(), 100).unwrap();
        let (rates, leases) = if in_front { (rates(), leases()) } else { (own_rates, own_leases) };
        let parts = LimiterParts { store: Arc::clone(&store), on_failure, clock: clock.clone(), rates, leases };
        let (limiter, queue) = Limiter::new(parts, builder);
        Self { limiter: Arc::new(limiter), store, threads, clock, data, _queue: queue, _journal: journal }
    }

    /// Begins to decide on a request for this much audio.
    fn decide(&self, audio: u64) -> Deciding {
        let (limiter, request) = (Arc::clone(&self.limiter), ask(&subject("alice"), LIMITS, charge(0, audio)));
        tokio::spawn(async move { limiter.admit(request).await })
    }

    /// Lets time pass while the store works.
    pub(super) async fn pass(&mut self, time: Duration) {
        let step = Duration::from_millis(50);
        let mut left = time;
        loop {
            for _ in 0..8 {
                tokio::task::yield_now().await;
                self.threads.pump(&mut Faults::new());
            }
            if left.is_zero() {
                return;
            }
            let step = step.min(left);
            self.clock.advance(step);
            tokio::time::advance(step).await;
            left = left.saturating_sub(step);
        }
    }

    /// Decides on a request, which takes this time.
    pub(super) async fn decided(&mut self, audio: u64, time: Duration) -> Result<LimiterDecision, Unavailable> {
        let deciding = self.decide(audio);
        self.pass(time).await;
        deciding.await.unwrap()
    }

    /// Settles an admitted request at its estimate.
    fn settle(&self, audio: u64, decided: LimiterDecision) {
        let asked = ask(&subject("alice"), LIMITS, charge(0, audio));
        let without_store = decided.decided_by == Granted::Locally;
        let settlement = settlement(&asked, decided.decision.at, charge(0, audio));
        self.limiter.leases().end(&subject("alice"), decided.id);
        self.limiter.settler().settle(Settlement { id: decided.id, without_store, ..settlement }, Span::default());
    }

    pub(super) fn total(&self) -> Tally {
        let reader = Reader::open(self.data.path(), Namespace::default()).unwrap().unwrap();
        reader.statement(&subject("alice"), Month::of(self.clock.now())).unwrap().total
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_up_decides() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        let first = bench.decided(6, Duration::ZERO).await.unwrap();
        assert_eq!((first.decided_by, first.decision.denial), (Granted::ByStore, None));
        let second = bench.decided(5, Duration::ZERO).await.unwrap();
        assert_eq!(second.decision.denial, Some(Denial::MonthlyAudio));
        bench.settle(6, first);
        bench.pass(Duration::from_millis(100)).await;
        assert_eq!((bench.total().charge(), bench.limiter.in_flight(&subject("alice"))), (charge(0, 6), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_slow_store_the_late_answer_is_taken_back() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        bench.threads.stall();
        let decided = bench.decided(6, STORE_TIMEOUT).await.unwrap();
        assert_eq!((decided.decided_by, decided.decision.denial), (Granted::Locally, None));
        assert_eq!(bench.total(), Tally::default());
        // Without the store, the last known budget counts, and what was admitted since.
        let denied = bench.decided(5, Duration::ZERO).await.unwrap();
        assert_eq!(denied.decision.denial, Some(Denial::MonthlyAudio));
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        assert!(!bench.limiter.is_unavailable());
        bench.settle(6, decided);
        bench.pass(RECOVERY).await;
        let total = bench.total();
        assert_eq!((total.requests, total.charge()), (1, charge(0, 6)), "once, and not for its late answer too");
        let pending = bench.limiter.pending();
        assert_eq!((pending.owed, pending.waiting), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_store_is_required_a_slow_one_refuses_and_charges_nothing() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Deny, in_front);
        bench.threads.stall();
        assert_eq!(bench.decided(6, STORE_TIMEOUT).await, Err(Unavailable));
        // The store is known to be down now, so nothing waits for it.
        assert!(bench.limiter.is_unavailable());
        assert_eq!(bench.limiter.peek(&subject("alice"), &LIMITS), Err(Unavailable));
        assert_eq!(bench.decided(1, Duration::ZERO).await, Err(Unavailable));
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        assert!(!bench.limiter.is_unavailable());
        assert_eq!(bench.total(), Tally::default());
        assert_eq!(bench.limiter.in_flight(&subject("alice")), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_down_requests_in_flight_are_limited_here() {
    let mut bench = Bench::new(OnStoreFailure::Local, true);
    bench.threads.stall();
    let mut decisions = vec![bench.decided(1, STORE_TIMEOUT).await.unwrap()];
    for _ in 0..3 {
        decisions.push(bench.decided(1, Duration::ZERO).await.unwrap());
    }
    let denials: Vec<_> = decisions.iter().map(|decided| decided.decision.denial).collect();
    assert_eq!(denials, [None, None, None, Some(Denial::Concurrency)]);
    assert_eq!(bench.limiter.pending().owed, 3);
    assert_eq!(bench.limiter.spent(&subject("alice")), charge(0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_decision_pays_nothing() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        bench.threads.stall();
        let leaving = bench.decide(6);
        bench.pass(Duration::ZERO).await;
        leaving.abort();
        bench.pass(Duration::ZERO).await;
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        assert_eq!((bench.total(), bench.limiter.in_flight(&subject("alice"))), (Tally::default(), 0));
        assert_eq!(bench.limiter.spent(&subject("alice")), Charge::NONE);
    }
}
