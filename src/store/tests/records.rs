//! The records that callers and operators read: requests by their ids, the totals of all callers, the last requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use super::bench::{Bench, START, ask, charge, settlement, subject};
use super::edges::EVERY;
use super::sequences::{Pair, steps};
use crate::domain::{Month, Subject, UnixMs};
use crate::ledger::{CallerTally, Ending, Entry, MAX_CALLERS, RequestInfo, Tally, Totals};
use crate::limits::{AdmitRequest, Limits, RateRefund, Settlement};

/// Returns a request of a caller by this id.
fn request(name: &str, request_id: &str) -> AdmitRequest {
    let ask = ask(&subject(name), Limits::default(), charge(8, 9));
    AdmitRequest { info: RequestInfo { request_id: request_id.to_owned(), ..ask.info.clone() }, ..ask }
}

/// Admits a request, and returns its open record.
async fn admit(bench: &Bench, ask: &AdmitRequest) -> Entry {
    bench.tell_the_time(&ask.subject);
    let decision = bench.store.admit(Arc::new(ask.clone())).await.unwrap();
    assert_eq!(decision.denial, None);
    ask.entry(decision.at)
}

/// Settles a request, and returns its record.
async fn settle(bench: &Bench, ask: &AdmitRequest, at: UnixMs) -> Entry {
    let mut settlement = settlement(ask, at, charge(5, 6));
    (settlement.info.pieces, settlement.info.attempts) = (Some(2), Some(3));
    let entry = settlement.entry();
    bench.store.settle(Arc::new(settlement)).await.unwrap();
    entry
}

#[tokio::test]
async fn a_request_is_found_by_its_id_by_its_caller_alone() {
    for make in EVERY {
        let bench = make();
        let (alice, bob) = (subject("alice"), subject("bob"));
        let find = async |caller: &Subject, id: &str| bench.store.request(caller, id).await.unwrap();
        let first = request("alice", "the-id");
        assert_eq!(find(&alice, "the-id").await, None);
        let open = admit(&bench, &first).await;
        assert_eq!((find(&alice, "the-id").await, find(&bob, "the-id").await), (Some(open.clone()), None));
        let settled = settle(&bench, &first, open.at).await;
        assert_eq!((find(&alice, "the-id").await, find(&bob, "the-id").await), (Some(settled.clone()), None));
        for other in ["", "the-id2", "the", "the:id", "the_id", "the-id:request", &"x".repeat(5000)] {
            assert_eq!(find(&alice, other).await, None, "{other}");
        }

        // Another request with the same id is the newer one, open and settled.
        bench.clock.advance(Duration::from_secs(1));
        let second = request("alice", "the-id");
        let open = admit(&bench, &second).await;
        assert_eq!(find(&alice, "the-id").await, Some(open.clone()));
        let settled = settle(&bench, &second, open.at).await;
        assert_eq!(find(&alice, "the-id").await, Some(settled.clone()));
        // One that was taken back leaves nothing.
        let void = request("alice", "void");
        let open = admit(&bench, &void).await;
        bench.store.settle(Arc::new(Settlement::void(&void, open.at, RateRefund::default()))).await.unwrap();
        assert_eq!((find(&alice, "void").await, find(&alice, "the-id").await), (None, Some(settled)));
    }
}

#[tokio::test]
async fn the_last_settled_requests_come_newest_first() {
    for make in EVERY {
        let bench = make();
        assert_eq!(bench.store.recent(7).await.unwrap(), []);
        let mut settled = Vec::new();
        for number in 0..12 {
            let ask = request(&format!("caller-{}", number % 5), &number.to_string());
            let open = admit(&bench, &ask).await;
            settled.insert(0, settle(&bench, &ask, open.at).await);
            bench.clock.advance(Duration::from_millis(1));
        }
        admit(&bench, &request("alice", "open")).await;
        assert_eq!(bench.store.recent(7).await.unwrap(), settled[..7]);
        assert_eq!(bench.store.recent(50).await.unwrap(), settled);
    }
}

/// Returns the totals by the statements of these callers.
async fn sums(bench: &Bench, callers: &[Subject], month: Month) -> Totals {
    let (mut by_caller, mut by_day, mut by_model) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for subject in callers {
        let statement = bench.store.statement(subject, month).await.unwrap();
        let tally = statement.settled();
        if tally.requests > 0 {
            by_caller.push(CallerTally { subject: subject.clone(), tally });
        }
        for (groups, tallies) in [(&mut by_day, statement.by_day), (&mut by_model, statement.by_model)] {
            for (name, tally) in tallies {
                let sum: &mut Tally = groups.entry(name).or_default();
                *sum = sum.plus(tally);
            }
        }
    }
    Totals::new(month, by_caller, by_day, by_model)
}

#[test]
fn totals_are_the_sums_of_the_statements_of_all_callers() {
    for make in EVERY {
        let runtime = Runtime::new().unwrap();
        let bench = runtime.block_on(async { make() });
        let (mut runner, mut callers) = (TestRunner::deterministic(), Vec::new());
        for _ in 0..6 {
            let mut pair = Pair::new(&bench, &runtime);
            for step in steps().new_tree(&mut runner).unwrap().current() {
                pair.take(&step);
            }
            callers.extend(pair.callers.clone());
        }
        let (mut month, mut requests) = (Month::of(UnixMs::new(START)), 0);
        while month <= Month::of(bench.clock.now()) {
            let totals = runtime.block_on(bench.store.totals(month)).unwrap();
            assert_eq!(totals, runtime.block_on(sums(&bench, &callers, month)));
            requests += totals.total().requests;
            month = month.next();
        }
        assert!(requests > 20, "{requests}");
    }
}

#[tokio::test]
async fn totals_name_the_callers_that_spent_most() {
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        for number in 0..=MAX_CALLERS {
            let ask = ask(&subject(&format!("caller-{number}")), Limits::default(), charge(1000, 1));
            let open = admit(&bench, &ask).await;
            let cost = charge(u64::try_from(number).unwrap(), 1);
            let ending = if number == 3 { Ending::Broken } else { Ending::Answered };
            bench.store.settle(Arc::new(Settlement { ending, ..settlement(&ask, open.at, cost) })).await.unwrap();
        }
        let totals = bench.store.totals(Month::of(bench.clock.now())).await.unwrap();
        let spent: Vec<_> = totals.by_caller.iter().map(|caller| caller.tally.spent_usd.get()).collect();
        assert_eq!(spent, (1..=100).rev().collect::<Vec<_>>());
        assert_eq!((totals.total().requests, totals.total().spent_usd.get()), (101, 5050));
    }
}
