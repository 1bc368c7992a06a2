//! Concurrent requests, and recovery after failures.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::bench::{Bench, KEEP, Place, ask, charge, clock_of, settlement, subject};
use crate::config::Namespace;
use crate::domain::{Month, NanoUsd, UnixMs};
use crate::identity::Caps;
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::ledger::{Charge, Ending};
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::session::InSession;
use crate::limits::{AdmitRequest, Decision, Denial, IfUnknown, Limits, Settlement};
use crate::store::{Embedded, OpenError, Store, StoreError};

pub(super) const EVERY: [fn() -> Bench; 3] = [Bench::embedded, Bench::redis, Bench::cluster];

/// Asks `times` times at the same time.
async fn flood(bench: &Bench, name: &str, limits: Limits, estimate: Charge, times: usize) -> Vec<Decision> {
    let subject = subject(name);
    bench.tell_the_time(&subject);
    let asks = (0..times).map(|_| bench.store.admit(Arc::new(ask(&subject, limits, estimate))));
    join_all(asks).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_budget_that_is_enough_for_n_requests_admits_n_of_many_at_once() {
    for make in EVERY {
        let bench = make();
        let number = |n| NonZeroU32::new(n);
        let cases = [
            (Limits { monthly_usd: Some(NanoUsd::new(700)), ..Limits::default() }, Denial::MonthlyUsd),
            (Limits { monthly_audio: Some(charge(0, 14).audio), ..Limits::default() }, Denial::MonthlyAudio),
            (Limits { concurrent: number(7), ..Limits::default() }, Denial::Concurrency),
        ];
        for (case, (limits, denial)) in cases.into_iter().enumerate() {
            let decisions = flood(&bench, &format!("alice-{case}"), limits, charge(100, 2), 70).await;
            let (admitted, denied): (Vec<Decision>, Vec<Decision>) =
                decisions.into_iter().partition(|decision| decision.denial.is_none());
            assert_eq!(admitted.len(), 7, "{denial:?}");
            assert!(denied.iter().all(|decision| decision.denial == Some(denial)));
            assert!(denied.iter().all(|decision| decision.account.spent == charge(700, 14)));
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_as_told_gets_in_and_not_before() {
    use crate::config::{AudioRate, RequestRate};
    use crate::limits::Bucket;
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        let alice = subject("alice");
        let number = |n| NonZeroU32::new(n).unwrap();
        let audio = |seconds: u64| charge(0, seconds * 1000).audio;
        let limits = Limits {
            requests: Some(Bucket::for_requests(RequestRate { per_minute: number(7), burst: number(2) })),
            audio: Some(Bucket::for_audio(AudioRate { per_minute: audio(60), burst: audio(60) }, audio(25))),
            ..Limits::default()
        };
        let mut waits = 0;
        for _ in 0..20 {
            bench.tell_the_time(&alice);
            let decision = bench.store.admit(Arc::new(ask(&alice, limits, Charge::NONE))).await.unwrap();
            let Some(Denial::Requests { wait } | Denial::Audio { wait }) = decision.denial else { continue };
            waits += 1;
            // This clock moves by whole milliseconds.
            let wait = Duration::from_millis(wait.as_micros().div_ceil(1000).try_into().unwrap());
            let short = wait.saturating_sub(Duration::from_millis(1));
            bench.clock.advance(short);
            bench.tell_the_time(&alice);
            let early = bench.store.admit(Arc::new(ask(&alice, limits, Charge::NONE))).await.unwrap();
            assert!(early.denial.is_some(), "let in {short:?} of {wait:?} later");
            bench.clock.advance(wait.saturating_sub(short));
            bench.tell_the_time(&alice);
            let in_time = bench.store.admit(Arc::new(ask(&alice, limits, Charge::NONE))).await.unwrap();
            assert_eq!(in_time.denial, None);
        }
        assert!(waits > 5, "{waits}");
    }
}

#[tokio::test]
async fn a_lease_that_is_never_given_back_ends_by_itself_and_its_charge_stands() {
    for make in [Bench::embedded, Bench::redis] {
        let mut bench = make();
        let limits = Limits { concurrent: NonZeroU32::new(1), ..Limits::default() };
        let alice = subject("alice");
        let killed = ask(&alice, limits, charge(5, 1));
        bench.tell_the_time(&alice);
        let given = bench.store.admit(Arc::new(killed.clone())).await.unwrap();
        assert_eq!(flood(&bench, "alice", limits, charge(5, 1), 1).await[0].denial, Some(Denial::Concurrency));
        bench.clock.advance(killed.lease);
        let next = flood(&bench, "alice", limits, charge(5, 1), 1).await[0];
        assert_eq!((next.denial, next.account.spent), (None, charge(10, 2)));

        // After two days the permit is abandoned, and its estimate stands.
        bench.clock.advance(Duration::from_hours(49));
        flood(&bench, "alice", Limits::default(), charge(5, 1), 1).await;
        while let Ok(abandoned) = bench.abandoned.try_recv() {
            bench.store.settle(Arc::new(abandoned)).await.unwrap();
        }
        flood(&bench, "alice", Limits::default(), charge(5, 1), 1).await;
        let entries = bench.entries(&alice, Month::of(given.at)).await;
        let entry = entries.iter().find(|entry| entry.id == killed.id).unwrap();
        assert_eq!((entry.ending, entry.cost), (Ending::Abandoned, charge(5, 1)));
        // A settlement that comes even later changes nothing.
        let late = Settlement { tried: false, ..settlement(&killed, given.at, charge(3, 1)) };
        bench.store.settle(Arc::new(late)).await.unwrap();
        let statement = bench.store.statement(&alice, Month::of(given.at)).await.unwrap();
        assert_eq!(statement.total.spent_usd, NanoUsd::new(20));
    }
}

#[tokio::test]
async fn a_question_that_was_given_up_is_not_answered_any_more() {
    let bench = Bench::redis();
    let alice = subject("alice");
    bench.tell_the_time(&alice);
    // The gateway learns the time of Redis, then Redis stalls for longer than any time limit.
    flood(&bench, "alice", Limits::default(), charge(1, 1), 1).await;
    let Place::Server(server) = &bench.place else { unreachable!() };
    let late = bench.clock.now().get() / 1000 + 60;
    server.run(&["HSET", &clock_of(&subject("alice")), "seconds", &late.to_string()]);
    let answer = bench.store.admit(Arc::new(ask(&alice, Limits::default(), charge(1, 1)))).await;
    assert!(matches!(&answer, Err(StoreError::Rejected(what)) if what.starts_with("LATE")), "{answer:?}");
    let statement = bench.store.statement(&alice, Month::of(bench.clock.now())).await.unwrap();
    assert_eq!(statement.total.requests, 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_locks_nobody_out() {
    use crate::config::RequestRate;
    use crate::limits::Bucket;
    let bench = Bench::redis();
    let number = |n| NonZeroU32::new(n).unwrap();
    let rate = RequestRate { per_minute: number(60), burst: number(1) };
    let limits = Limits { requests: Some(Bucket::for_requests(rate)), ..Limits::default() };
    flood(&bench, "alice", limits, Charge::NONE, 1).await;
    let Place::Server(server) = &bench.place else { unreachable!() };
    let hour_ago = bench.clock.now().get() / 1000 - 3600;
    server.run(&["HSET", &clock_of(&subject("alice")), "seconds", &hour_ago.to_string()]);
    let again = || bench.store.admit(Arc::new(ask(&subject("alice"), limits, Charge::NONE)));
    assert_eq!(again().await.unwrap().denial, Some(Denial::Requests { wait: Duration::from_secs(1) }));
    // And a request after the advised wait is admitted, by the new clock.
    server.run(&["HSET", &clock_of(&subject("alice")), "seconds", &(hour_ago + 1).to_string()]);
    assert_eq!(again().await.unwrap().denial, None);
}

#[tokio::test]
async fn a_store_that_lost_a_permit_charges_it_when_it_is_settled() {
    let bench = Bench::redis();
    let alice = subject("alice");
    let asked = ask(&alice, Limits::default(), charge(5, 1));
    bench.tell_the_time(&alice);
    let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
    let Place::Server(server) = &bench.place else { unreachable!() };
    server.run(&["FLUSHALL"]);
    bench.tell_the_time(&alice);
    let done = settlement(&asked, given.at, charge(3, 1));
    for tried in [false, true, true] {
        bench.store.settle(Arc::new(Settlement { tried, ..done.clone() })).await.unwrap();
    }
    let statement = bench.store.statement(&alice, Month::of(given.at)).await.unwrap();
    assert_eq!((statement.total.requests, statement.total.spent_usd), (1, NanoUsd::new(3)));
}

#[tokio::test]
async fn a_refund_goes_to_the_month_in_which_the_permit_was_given() {
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        let alice = subject("alice");
        let last = Month::of(bench.clock.now());
        let to_the_end = last.next().start().get() - bench.clock.now().get();
        bench.clock.advance(Duration::from_millis(to_the_end - 1));
        bench.tell_the_time(&alice);
        let asked = ask(&alice, Limits::default(), charge(500, 1));
        bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        // The gateway never got the answer, and knows only the time at which it gave up.
        bench.clock.advance(Duration::from_secs(1));
        bench.tell_the_time(&alice);
        let void = Settlement { unknown: IfUnknown::Ignore, ..settlement(&asked, bench.clock.now(), Charge::NONE) };
        bench.store.settle(Arc::new(void)).await.unwrap();
        for month in [last, last.next()] {
            let statement = bench.store.statement(&alice, month).await.unwrap();
            assert_eq!(statement.total.charge(), Charge::NONE, "{month}");
        }
    }
}

#[tokio::test]
async fn a_backlog_of_one_caller_is_settled_without_holding_up_the_rest() {
    let bench = Bench::redis();
    let alice = subject("alice");
    bench.tell_the_time(&alice);
    let Place::Server(server) = &bench.place else { unreachable!() };
    let cost = || -> f64 {
        let stats: String = redis::from_redis_value(server.run(&["INFO", "COMMANDSTATS"])).unwrap();
        let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap_or("usec=0,");
        line.split("usec=").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
    };
    let at = bench.clock.now();
    let settle = async |count: u32| {
        let before = cost();
        for _ in 0..count {
            let late = Settlement {
                without_store: true,
                ..settlement(&ask(&alice, Limits::default(), Charge::NONE), at, charge(1, 1))
            };
            bench.store.settle(Arc::new(late)).await.unwrap();
        }
        (cost() - before) / f64::from(count)
    };
    settle(100).await;
    let first = settle(200).await;
    settle(2000).await;
    let last = settle(200).await;
    // The cost of one settlement in Redis does not grow with the number of earlier ones; a scan of them all would take
    // ten times as long.
    assert!(last < 4.0 * first, "{first} µs became {last} µs");
    let statement = bench.store.statement(&alice, Month::of(at)).await.unwrap();
    assert_eq!((statement.total.requests, statement.total.spent_usd), (2500, NanoUsd::new(2500)));
}

#[tokio::test]
async fn full_memory_refuses_requests_whole_and_lets_settlements_through() {
    let bench = Bench::redis();
    let alice = subject("alice");
    let asked = ask(&alice, Limits::default(), charge(5, 1));
    bench.tell_the_time(&alice);
    let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
    let Place::Server(server) = &bench.place else { unreachable!() };
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = bench.store.admit(Arc::new(ask(&alice, Limits::default(), charge(5, 1)))).await;
    assert!(matches!(&refused, Err(StoreError::Io(what)) if what.contains("OOM")), "{refused:?}");
    bench.recover().await;
    bench.store.settle(Arc::new(settlement(&asked, given.at, charge(3, 1)))).await.unwrap();
    let statement = bench.store.statement(&alice, Month::of(given.at)).await.unwrap();
    assert_eq!((statement.total.requests, statement.total.spent_usd), (1, NanoUsd::new(3)));
}

#[tokio::test]
async fn the_embedded_store_is_for_one_process_and_keeps_what_it_had() {
    let bench = Bench::embedded();
    let alice = subject("alice");
    let asked = ask(&alice, Limits::default(), charge(5, 1));
    let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
    let Place::Folder(folder) = &bench.place else { unreachable!() };
    let (rates, leases) = (Arc::new(Rates::new(bench.clock.clone())), Arc::new(Leases::new(bench.clock.clone())));
    let second = Embedded::open(folder.path(), Namespace::default(), KEEP, rates, leases, bench.clock.clone());
    let refusal = second.unwrap_err();
    assert!(matches!(&refusal, OpenError::Taken { holder, .. } if *holder == std::process::id().to_string()));
    assert!(refusal.to_string().contains("VOXGATE_DATA_DIR"), "{refusal}");

    let Bench { store, clock, place, .. } = bench;
    drop(store);
    let Place::Folder(folder) = &place else { unreachable!() };
    let again = Store::Embedded(Bench::open(folder, &clock));
    let ignored = Settlement { unknown: IfUnknown::Ignore, ..settlement(&asked, given.at, charge(3, 1)) };
    again.settle(Arc::new(ignored)).await.unwrap();
    let statement = again.statement(&alice, Month::of(given.at)).await.unwrap();
    assert_eq!((statement.total.spent_usd, statement.open().requests), (NanoUsd::new(3), 0));
}

#[tokio::test]
async fn a_revoked_token_is_let_in_nowhere_and_takes_nothing() {
    for make in EVERY {
        let bench = make();
        let (alice, bob) = (subject("alice"), subject("bob"));
        for who in [&alice, &bob] {
            bench.tell_the_time(who);
        }
        let until = bench.store.now(&alice).plus(Duration::from_hours(24 * 365 * 100));
        let token = |id: &str, issued_at| TokenRef { id: Some(id.to_owned()), issued_at, ..TokenRef::default() };
        let refused = async |who: &_, token: &TokenRef| {
            let asked = Arc::new(AdmitRequest { token: token.clone(), ..ask(who, Limits::default(), charge(1, 1)) });
            let decision = bench.store.admit(asked).await.unwrap();
            let denied = decision.denial == Some(Denial::Revoked);
            assert_eq!(denied, decision.denial.is_some());
            assert_eq!(denied, bench.store.is_revoked(who, token.clone()).await.unwrap(), "{token:?}");
            denied
        };
        let revoke = async |who: &_, tokens| {
            bench.store.revoke(Revocation { subject: Clone::clone(who), tokens, until }).await.unwrap();
        };
        assert!(!refused(&alice, &token("one", Some(5))).await);
        revoke(&alice, RevokedTokens::Named("one".to_owned())).await;
        assert!(refused(&alice, &token("one", Some(5))).await);
        assert!(!refused(&alice, &token("two", Some(5))).await && !refused(&bob, &token("one", Some(5))).await);
        revoke(&alice, RevokedTokens::IssuedUpTo(5)).await;
        assert!(refused(&alice, &token("two", Some(5))).await && !refused(&alice, &token("two", Some(6))).await);
        assert!(refused(&alice, &TokenRef::default()).await, "it may be from before");
        assert!(!refused(&bob, &TokenRef::default()).await);
        for until in [until, UnixMs::new(1)] {
            let tokens = RevokedTokens::IssuedUpTo(3);
            bench.store.revoke(Revocation { subject: alice.clone(), tokens, until }).await.unwrap();
            assert!(refused(&alice, &token("two", Some(5))).await, "what was revoked stays revoked");
        }
        let spent = bench.store.statement(&alice, Month::of(bench.store.now(&alice))).await.unwrap();
        assert_eq!(spent.total.requests, 3, "what was refused was not counted");
    }
}

#[tokio::test]
async fn a_session_takes_no_more_than_its_caps_whatever_the_plan_leaves() {
    for make in EVERY {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let expires_at = bench.store.now(&alice).plus(Duration::from_hours(24 * 365 * 100));
        let caps = Caps { usd: Some(NanoUsd::new(250)), audio: Some(charge(0, 30).audio) };
        let session = |id: &str| Some(InSession { id: id.to_owned(), caps, expires_at });
        let of = |id: &str, estimate| AdmitRequest { session: session(id), ..ask(&alice, Limits::default(), estimate) };
        let admit = async |asked: &AdmitRequest| bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        let (first, second) = (of("one", charge(100, 10)), of("one", charge(100, 10)));
        let given = admit(&first).await;
        assert_eq!((given.denial, admit(&first).await.denial), (None, None), "asked again, it takes nothing more");
        assert_eq!(admit(&second).await.denial, None);
        assert_eq!(admit(&of("one", charge(51, 1))).await.denial, Some(Denial::SessionCaps));
        assert_eq!(admit(&of("one", charge(1, 11))).await.denial, Some(Denial::SessionCaps));
        assert_eq!(admit(&of("two", charge(250, 30))).await.denial, None, "another is another");
        // The estimate that a settlement gives back can be used again.
        bench.store.settle(Arc::new(settlement(&first, given.at, charge(10, 1)))).await.unwrap();
        assert_eq!(admit(&of("one", charge(140, 19))).await.denial, None);
        assert_eq!(admit(&of("one", charge(1, 0))).await.denial, Some(Denial::SessionCaps));
    }
}
