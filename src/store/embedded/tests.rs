//! Tests of the writing thread, whose jobs are done by hand: batches, jobs that fail, and jobs that come late.

use std::sync::Arc;

use futures_util::poll;
use tempfile::TempDir;

use super::manual::ManualThreads;
use super::store::Embedded;
use crate::domain::{Month, UnixMs};
use crate::ledger::Tally;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::{AdmitRequest, Limits, RateRefund, Settlement};
use crate::store::StoreError;
use crate::store::tests::bench::{KEEP, START, ask, charge, settlement, subject};

struct Bench {
    store: Embedded,
    threads: ManualThreads,
    leases: Arc<Leases>,
    clock: Clock,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let (clock, folder) = (Clock::manual(UnixMs::new(START)), TempDir::new().unwrap());
        let (rates, leases) = (Arc::new(Rates::new(clock.clone())), Arc::new(Leases::new(clock.clone())));
        let (store, threads) = Embedded::manual(folder.path(), KEEP, rates, Arc::clone(&leases), clock.clone());
        Self { store, threads, leases, clock, _folder: folder }
    }

    /// Returns the charges of the month.
    async fn total(&mut self) -> Tally {
        let (alice, month) = (subject("alice"), Month::of(self.clock.now()));
        let mut statement = std::pin::pin!(self.store.statement(&alice, month));
        assert!(poll!(&mut statement).is_pending());
        self.threads.answer_reads();
        statement.await.unwrap().total
    }
}

fn request() -> Arc<AdmitRequest> {
    Arc::new(ask(&subject("alice"), Limits::default(), charge(5, 1)))
}

#[tokio::test(start_paused = true)]
async fn a_batch_answers_each_caller() {
    let mut bench = Bench::new();
    let (one, two) = (request(), request());
    let (first, second) = (bench.store.admit(Arc::clone(&one)), bench.store.admit(Arc::clone(&two)));
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    let jobs = bench.threads.take_jobs();
    assert_eq!(jobs.len(), 2);
    bench.threads.work(jobs);
    assert_eq!(first.await.unwrap().account.spent, charge(5, 1));
    assert_eq!(second.await.unwrap().account.spent, charge(10, 2));
    assert_eq!(bench.total().await.requests, 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_written_fails_alone() {
    let mut bench = Bench::new();
    let (one, two) = (request(), request());
    let mut admitted = Box::pin(bench.store.admit(Arc::clone(&one)));
    let broken = bench.store.write_for_test(|_| Err(rusqlite::Error::InvalidQuery));
    let mut broken = Box::pin(broken);
    let mut last = Box::pin(bench.store.admit(Arc::clone(&two)));
    assert!(poll!(&mut admitted).is_pending() && poll!(&mut broken).is_pending() && poll!(&mut last).is_pending());
    let jobs = bench.threads.take_jobs();
    bench.threads.work(jobs);
    assert_eq!(admitted.await.unwrap().denial, None);
    assert!(matches!(broken.await, Err(StoreError::Io(_))));
    // The last write succeeded, so the store counts as available; the failed transaction has undone the first request,
    // which was then charged once.
    assert_eq!(last.await.unwrap().account.spent, charge(10, 2));
    assert!(!bench.store.is_down());
    assert_eq!(bench.total().await.requests, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_caller_has_left_takes_nothing() {
    let mut bench = Bench::new();
    let (left, stays) = (request(), request());
    let mut leaving = Box::pin(bench.store.admit(Arc::clone(&left)));
    let mut staying = Box::pin(bench.store.admit(Arc::clone(&stays)));
    assert!(poll!(&mut leaving).is_pending() && poll!(&mut staying).is_pending());
    drop(leaving);
    let jobs = bench.threads.take_jobs();
    bench.threads.work(jobs);
    let admitted = staying.await.unwrap();
    assert_eq!((admitted.account.in_flight, admitted.account.spent), (1, charge(5, 1)));
    assert_eq!(bench.leases.in_flight(&subject("alice")), 1);
    assert_eq!(bench.total().await.requests, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_after_it_was_taken_back_is_too_late() {
    let mut bench = Bench::new();
    let late = request();
    let void = Settlement::void(&late, bench.clock.now(), RateRefund::default());
    let mut voided = Box::pin(bench.store.settle(Arc::new(void)));
    let mut admitting = Box::pin(bench.store.admit(Arc::clone(&late)));
    assert!(poll!(&mut admitting).is_pending() && poll!(&mut voided).is_pending());
    // The request was sent first, and comes last.
    let mut jobs = bench.threads.take_jobs();
    jobs.reverse();
    for job in jobs {
        bench.threads.work(vec![job]);
    }
    voided.await.unwrap();
    assert!(matches!(admitting.await, Err(StoreError::Rejected(_))));
    assert_eq!(bench.leases.in_flight(&subject("alice")), 0);
    assert_eq!(bench.total().await, Tally::default());
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_does_not_answer_is_asked_again_when_it_works() {
    let mut bench = Bench::new();
    let asked = request();
    let mut waiting = Box::pin(bench.store.admit(Arc::clone(&asked)));
    assert!(poll!(&mut waiting).is_pending());
    // Paused time moves on when every task waits.
    assert!(matches!(waiting.await, Err(StoreError::Timeout)));
    assert!(bench.store.is_down());
    assert!(matches!(bench.store.admit(request()).await, Err(StoreError::Unavailable)));
    let jobs = bench.threads.take_jobs();
    bench.threads.work(jobs);
    assert!(!bench.store.is_down());
    assert_eq!(bench.total().await, Tally::default(), "the request whose caller has left is not charged");
}

#[tokio::test(start_paused = true)]
async fn a_settlement_is_written_even_if_its_caller_has_left() {
    let mut bench = Bench::new();
    let asked = request();
    let mut admitted = Box::pin(bench.store.admit(Arc::clone(&asked)));
    assert!(poll!(&mut admitted).is_pending());
    let jobs = bench.threads.take_jobs();
    bench.threads.work(jobs);
    let at = admitted.await.unwrap().at;
    let mut settling = Box::pin(bench.store.settle(Arc::new(settlement(&asked, at, charge(3, 1)))));
    assert!(poll!(&mut settling).is_pending());
    drop(settling);
    let jobs = bench.threads.take_jobs();
    bench.threads.work(jobs);
    assert_eq!(bench.total().await.charge(), charge(3, 1));
}
