//! Questions and settlements that come twice, late, or after they were taken back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Place, ask, charge, settlement, subject};
use super::edges::EVERY;
use crate::config::RequestRate;
use crate::domain::{Month, NanoUsd};
use crate::identity::Caps;
use crate::ledger::{Charge, Tally};
use crate::limits::session::InSession;
use crate::limits::{AdmitRequest, Bucket, Limits, RateRefund, Settlement};
use crate::store::{Redis, StoreError};

#[tokio::test]
async fn what_is_taken_back_leaves_nothing_and_a_question_that_comes_after_it_takes_nothing() {
    for make in EVERY {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let number = |n| NonZeroU32::new(n).unwrap();
        let rate = RequestRate { per_minute: number(1), burst: number(1) };
        let limits = Limits {
            requests: Some(Bucket::for_requests(rate)),
            concurrent: NonZeroU32::new(1),
            monthly_usd: Some(NanoUsd::new(5)),
            ..Limits::default()
        };
        let expires_at = bench.store.now(&alice).plus(Duration::from_hours(24 * 365 * 100));
        let caps = Caps { usd: Some(NanoUsd::new(5)), audio: None };
        let session = Some(InSession { id: "one".to_owned(), caps, expires_at });
        let asked = || AdmitRequest { session: session.clone(), ..ask(&alice, limits, charge(5, 1)) };
        let (late, given) = (asked(), asked());
        let void = async |asked: &AdmitRequest| {
            let void = Settlement::void(asked, bench.clock.now(), RateRefund::from_limits(&asked.limits));
            bench.store.settle(Arc::new(void)).await.unwrap();
        };
        // A question that comes after it was taken back.
        void(&late).await;
        let answer = bench.store.admit(Arc::new(late)).await;
        assert!(matches!(answer, Err(StoreError::Rejected(_))), "{answer:?}");
        // A request that was admitted before, however often it is taken back.
        assert_eq!(bench.store.admit(Arc::new(given.clone())).await.unwrap().denial, None);
        for _ in 0..2 {
            void(&given).await;
        }
        let month = Month::of(bench.clock.now());
        assert_eq!(bench.store.statement(&alice, month).await.unwrap().total, Tally::default());
        assert_eq!(bench.entries(&alice, month).await, []);
        // The script of Redis gives the rate back. The embedded store's rates are in the process, and the limiter gives
        // them back.
        if matches!(bench.place, Place::Folder(_)) {
            bench.clock.advance(Duration::from_mins(1));
        }
        let next = bench.store.admit(Arc::new(asked())).await.unwrap();
        assert_eq!((next.denial, next.account.in_flight, next.account.spent), (None, 1, charge(5, 1)));
    }
}

#[tokio::test]
async fn a_settlement_whose_answer_is_lost_is_written_once_however_many_come_between() {
    for make in EVERY {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let asked = ask(&alice, Limits::default(), charge(5, 1));
        let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        let done = settlement(&asked, given.at, charge(3, 1));
        let local = Settlement {
            without_store: true,
            ..settlement(&ask(&alice, Limits::default(), Charge::NONE), given.at, charge(2, 1))
        };
        for again in [false, true] {
            for settlement in [&done, &local] {
                // A repeated question may not be marked as such: a library repeated it, or a gateway that has died
                // since.
                for tried in [false, again] {
                    bench.store.settle(Arc::new(Settlement { tried, ..settlement.clone() })).await.unwrap();
                }
            }
            for _ in 0..70 {
                let other = ask(&alice, Limits::default(), Charge::NONE);
                let other = Settlement { without_store: true, ..settlement(&other, given.at, charge(0, 0)) };
                bench.store.settle(Arc::new(other)).await.unwrap();
            }
        }
        let statement = bench.store.statement(&alice, Month::of(given.at)).await.unwrap();
        assert_eq!((statement.total.requests, statement.total.spent_usd), (142, NanoUsd::new(5)));
    }
}

#[tokio::test]
async fn a_settlement_that_a_gateway_without_marks_has_written_is_found_by_its_record() {
    let bench = Bench::redis();
    let alice = subject("alice");
    bench.tell_the_time(&alice);
    let Place::Server(server) = &bench.place else { unreachable!() };
    let done = settlement(&ask(&alice, Limits::default(), Charge::NONE), bench.clock.now(), charge(3, 1));
    let settle = async |settlement: Settlement| bench.store.settle(Arc::new(settlement)).await.unwrap();
    settle(done.clone()).await;
    for _ in 0..300 {
        let other = ask(&alice, Limits::default(), Charge::NONE);
        settle(Settlement { without_store: true, ..settlement(&other, bench.clock.now(), charge(0, 0)) }).await;
    }
    server.run(&["DEL", &Redis::ledger_of(&alice).replace(":ledger", ":closed")]);
    settle(Settlement { tried: true, marked: false, ..done.clone() }).await;
    // A mark may be gone after a day; the record is not.
    bench.clock.advance(Duration::from_hours(25));
    bench.tell_the_time(&alice);
    settle(Settlement { tried: true, ..done }).await;
    let statement = bench.store.statement(&alice, Month::of(bench.clock.now())).await.unwrap();
    assert_eq!((statement.total.requests, statement.total.spent_usd), (301, NanoUsd::new(3)));
}
