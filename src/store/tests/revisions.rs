//! Changes of the charge of an open permit: late, repeated, and by every limit.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Place, ask, charge, revise, settlement, subject};
use super::edges::EVERY;
use crate::config::AudioRate;
use crate::domain::{AudioMs, Month, NanoUsd};
use crate::identity::Caps;
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::ledger::{Charge, Ending};
use crate::limits::session::InSession;
use crate::limits::{AdmitRequest, Bucket, Denial, Limits, ReviseRequest, Revision, RevisionOutcome};

const BUDGET: Limits = Limits {
    requests: None,
    audio: None,
    concurrent: None,
    monthly_usd: Some(NanoUsd::new(10)),
    monthly_audio: Some(AudioMs::new(100)),
};

async fn outcome(bench: &Bench, request: &ReviseRequest) -> RevisionOutcome {
    bench.store.revise(Arc::new(request.clone())).await.unwrap().outcome
}

async fn total(bench: &Bench, asked: &AdmitRequest) -> Charge {
    let month = Month::of(bench.clock.now());
    bench.store.statement(&asked.subject, month).await.unwrap().total.charge()
}

#[tokio::test]
async fn a_change_is_made_once_by_its_number_and_a_refused_one_changes_nothing() {
    for make in EVERY {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let asked = ask(&alice, BUDGET, charge(5, 50));
        let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        let to = |number, charge| ReviseRequest { revision: Revision::new(number), ..revise(&asked, given.at, charge) };
        for (number, charge, expected) in [
            (1, charge(11, 50), RevisionOutcome::Denied(Denial::MonthlyUsd)),
            (1, charge(10, 101), RevisionOutcome::Denied(Denial::MonthlyAudio)),
            (2, charge(10, 100), RevisionOutcome::Charged),
        ] {
            let before = total(&bench, &asked).await;
            assert_eq!(outcome(&bench, &to(number, charge)).await, expected);
            let after = if expected == RevisionOutcome::Charged { charge } else { before };
            assert_eq!(total(&bench, &asked).await, after);
        }
        // The same again, and an earlier one that comes late.
        for number in [2, 1] {
            assert_eq!(outcome(&bench, &to(number, charge(1, 1))).await, RevisionOutcome::Charged);
            assert_eq!(total(&bench, &asked).await, charge(10, 100));
        }
        assert_eq!(outcome(&bench, &to(3, charge(7, 70))).await, RevisionOutcome::Charged);
        assert_eq!(total(&bench, &asked).await, charge(7, 70));
        let entries = bench.entries(&alice, Month::of(given.at)).await;
        assert_eq!(
            (entries[0].estimate, entries[0].cost, entries[0].ending),
            (charge(7, 70), charge(7, 70), Ending::Open)
        );
        // A gateway that missed an answer settles by an earlier estimate.
        bench.store.settle(Arc::new(settlement(&asked, given.at, charge(6, 60)))).await.unwrap();
        assert_eq!(total(&bench, &asked).await, charge(6, 60));
        // The settlement has overtaken another change.
        assert_eq!(outcome(&bench, &to(4, charge(9, 90))).await, RevisionOutcome::NotOpen);
        assert_eq!(total(&bench, &asked).await, charge(6, 60));
        let unknown = ask(&alice, BUDGET, charge(1, 1));
        let unknown = revise(&unknown, given.at, charge(2, 2));
        assert_eq!(outcome(&bench, &unknown).await, RevisionOutcome::NotOpen);
    }
}

#[tokio::test]
async fn a_charge_that_does_not_grow_is_never_refused() {
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let asked = ask(&alice, Limits::default(), charge(50, 500));
        let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        // The plan has changed since.
        let shrinks = ReviseRequest { limits: BUDGET, ..revise(&asked, given.at, charge(50, 400)) };
        assert_eq!(outcome(&bench, &shrinks).await, RevisionOutcome::Charged);
        let grows = ReviseRequest { charge: charge(51, 400), revision: Revision::new(2), ..shrinks };
        assert_eq!(outcome(&bench, &grows).await, RevisionOutcome::Denied(Denial::MonthlyUsd));
    }
}

#[tokio::test]
async fn a_change_counts_in_the_caps_of_the_session() {
    for make in EVERY {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let expires_at = bench.store.now(&alice).plus(Duration::from_hours(24 * 365 * 100));
        let caps = Caps { usd: Some(NanoUsd::new(10)), audio: None };
        let session = Some(InSession { id: "one".to_owned(), caps, expires_at });
        let asked = || AdmitRequest { session: session.clone(), ..ask(&alice, Limits::default(), charge(4, 1)) };
        let (first, second) = (asked(), asked());
        let given = bench.store.admit(Arc::new(first.clone())).await.unwrap();
        bench.store.admit(Arc::new(second)).await.unwrap();
        let to =
            |number, usd| ReviseRequest { revision: Revision::new(number), ..revise(&first, given.at, charge(usd, 1)) };
        assert_eq!(outcome(&bench, &to(1, 7)).await, RevisionOutcome::Denied(Denial::SessionCaps));
        assert_eq!(outcome(&bench, &to(1, 6)).await, RevisionOutcome::Charged);
        let third = AdmitRequest { estimate: charge(1, 1), ..asked() };
        assert_eq!(bench.store.admit(Arc::new(third)).await.unwrap().denial, Some(Denial::SessionCaps));
        bench.store.settle(Arc::new(settlement(&first, given.at, charge(2, 1)))).await.unwrap();
        let fourth = AdmitRequest { estimate: charge(4, 1), ..asked() };
        assert_eq!(bench.store.admit(Arc::new(fourth)).await.unwrap().denial, None);
        let fifth = AdmitRequest { estimate: charge(1, 1), ..asked() };
        assert_eq!(bench.store.admit(Arc::new(fifth)).await.unwrap().denial, Some(Denial::SessionCaps));
    }
}

#[tokio::test]
async fn a_change_with_a_revoked_token_changes_nothing() {
    for make in EVERY {
        let bench = make();
        let (alice, bob) = (subject("alice"), subject("bob"));
        for who in [&alice, &bob] {
            bench.tell_the_time(who);
        }
        let until = bench.store.now(&alice).plus(Duration::from_hours(24 * 365 * 100));
        let token =
            |id: Option<&str>, issued_at| TokenRef { id: id.map(str::to_owned), issued_at, ..TokenRef::default() };
        let asked = AdmitRequest { token: token(Some("one"), Some(5)), ..ask(&alice, BUDGET, charge(5, 50)) };
        let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        let to = |number, usd| ReviseRequest {
            revision: Revision::new(number),
            ..revise(&asked, given.at, charge(usd, 60))
        };
        assert_eq!(outcome(&bench, &to(1, 6)).await, RevisionOutcome::Charged);
        for (who, tokens) in [
            (&bob, RevokedTokens::Named("one".to_owned())),
            (&alice, RevokedTokens::Named("another".to_owned())),
            (&alice, RevokedTokens::IssuedUpTo(4)),
        ] {
            bench.store.revoke(Revocation { subject: who.clone(), tokens, until }).await.unwrap();
        }
        assert_eq!(outcome(&bench, &to(2, 7)).await, RevisionOutcome::Charged, "others are revoked");
        let tokens = RevokedTokens::Named("one".to_owned());
        bench.store.revoke(Revocation { subject: alice.clone(), tokens, until }).await.unwrap();
        let before = bench.store.revise(Arc::new(to(2, 7))).await.unwrap();
        assert_eq!(before.outcome, RevisionOutcome::Charged, "asked again, it was made before");
        // Neither more, nor less, nor what a budget refuses too.
        for usd in [8, 1, 11] {
            let refused = bench.store.revise(Arc::new(to(3, usd))).await.unwrap();
            assert_eq!(refused.outcome, RevisionOutcome::Denied(Denial::Revoked));
            assert_eq!((refused.account, total(&bench, &asked).await), (before.account, charge(7, 60)));
        }
        let other = |token| ReviseRequest { token, ..to(3, 7) };
        for revoked in [token(Some("three"), Some(4)), token(Some("three"), None), token(None, Some(3))] {
            assert_eq!(outcome(&bench, &other(revoked)).await, RevisionOutcome::Denied(Denial::Revoked));
        }
        assert_eq!(outcome(&bench, &other(token(Some("three"), Some(5)))).await, RevisionOutcome::Charged);
    }
}

#[tokio::test]
async fn the_caps_hold_after_the_token_has_expired_until_the_work_ends() {
    for make in EVERY {
        let bench = make();
        let alice = subject("alice");
        // Redis ends keys by its own clock: far from now, so that none of them is ended here.
        bench.clock.advance(Duration::from_hours(24 * 365 * 100));
        bench.tell_the_time(&alice);
        let now = bench.clock.now();
        let caps = Caps { usd: Some(NanoUsd::new(10)), audio: None };
        let until =
            |hours| Some(InSession { id: "one".to_owned(), caps, expires_at: now.plus(Duration::from_hours(hours)) });
        let asked = |hours| AdmitRequest { session: until(hours), ..ask(&alice, Limits::default(), charge(3, 1)) };
        let (live, other) = (asked(3), asked(1));
        let given = bench.store.admit(Arc::new(live.clone())).await.unwrap();
        let kept = bench.kept_session(&alice, "one");
        // A request whose token expires sooner does not shorten that, nor does a change of it.
        bench.store.admit(Arc::new(other.clone())).await.unwrap();
        assert_eq!(outcome(&bench, &revise(&other, given.at, charge(4, 1))).await, RevisionOutcome::Charged);
        let minute = Duration::from_mins(1);
        assert!(bench.kept_session(&alice, "one").saturating_add(minute) >= kept, "it is kept as long as before");
        bench.clock.advance(Duration::from_hours(2));
        bench.tell_the_time(&alice);
        // The embedded store forgets what has ended, after the next write.
        for number in 1..3 {
            let change = ReviseRequest { revision: Revision::new(number), ..revise(&live, given.at, charge(3, 1)) };
            assert_eq!(outcome(&bench, &change).await, RevisionOutcome::Charged);
        }
        let to =
            |number, usd| ReviseRequest { revision: Revision::new(number), ..revise(&live, given.at, charge(usd, 1)) };
        assert_eq!(outcome(&bench, &to(3, 7)).await, RevisionOutcome::Denied(Denial::SessionCaps));
        bench.store.settle(Arc::new(settlement(&other, given.at, charge(2, 1)))).await.unwrap();
        assert_eq!(outcome(&bench, &to(4, 9)).await, RevisionOutcome::Denied(Denial::SessionCaps));
        assert_eq!(outcome(&bench, &to(4, 8)).await, RevisionOutcome::Charged);
    }
}

#[tokio::test]
async fn more_audio_takes_the_difference_from_the_rate_and_less_gives_nothing_back() {
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let seconds = |seconds: u64| AudioMs::new(seconds * 1000);
        let bucket = |length| {
            let rate = AudioRate { per_minute: seconds(60), burst: seconds(60) };
            Limits { audio: Some(Bucket::for_audio(rate, seconds(length))), ..Limits::default() }
        };
        let asked = ask(&alice, bucket(40), charge(0, 40_000));
        let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        let to = |number, more, audio| ReviseRequest {
            revision: Revision::new(number),
            limits: bucket(more),
            ..revise(&asked, given.at, charge(0, audio))
        };
        let wait = Duration::from_secs(5);
        assert_eq!(outcome(&bench, &to(1, 25, 65_000)).await, RevisionOutcome::Denied(Denial::Audio { wait }));
        let revised = bench.store.revise(Arc::new(to(1, 15, 55_000))).await.unwrap();
        assert_eq!(revised.account.reset.audio, Duration::from_secs(55));
        // Asked again, it takes nothing more.
        let again = bench.store.revise(Arc::new(to(1, 15, 55_000))).await.unwrap();
        assert_eq!(again.account.reset.audio, Duration::from_secs(55));
        let less = ReviseRequest { limits: Limits::default(), ..to(2, 1, 10_000) };
        let revised = bench.store.revise(Arc::new(less)).await.unwrap();
        assert_eq!(revised.account.reset.audio, Duration::from_secs(55));
    }
}

#[tokio::test]
async fn a_change_renews_the_lease_and_charges_the_month_of_admission() {
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        let alice = subject("alice");
        let last = Month::of(bench.clock.now());
        bench.clock.advance(Duration::from_millis(last.next().start().get() - bench.clock.now().get() - 1));
        bench.tell_the_time(&alice);
        let asked = ask(&alice, BUDGET, charge(5, 50));
        let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
        bench.clock.advance(asked.lease.saturating_sub(Duration::from_secs(1)));
        bench.tell_the_time(&alice);
        let revised = bench.store.revise(Arc::new(revise(&asked, given.at, charge(8, 80)))).await.unwrap();
        assert_eq!((revised.account.in_flight, revised.account.spent), (1, charge(8, 80)));
        bench.clock.advance(asked.lease.saturating_sub(Duration::from_secs(1)));
        bench.tell_the_time(&alice);
        let next = bench.store.admit(Arc::new(ask(&alice, BUDGET, charge(10, 100)))).await.unwrap();
        assert_eq!((next.denial, next.account.in_flight), (None, 2));
        bench.store.settle(Arc::new(settlement(&asked, given.at, charge(3, 30)))).await.unwrap();
        let of_last = bench.store.statement(&alice, last).await.unwrap();
        assert_eq!((of_last.total.charge(), of_last.total.requests), (charge(3, 30), 1));
    }
}

#[tokio::test]
async fn the_last_charge_of_a_gateway_that_died_stands() {
    let mut bench = Bench::redis();
    let alice = subject("alice");
    bench.tell_the_time(&alice);
    let killed = ask(&alice, Limits::default(), charge(5, 50));
    let given = bench.store.admit(Arc::new(killed.clone())).await.unwrap();
    assert_eq!(outcome(&bench, &revise(&killed, given.at, charge(8, 80))).await, RevisionOutcome::Charged);
    bench.clock.advance(Duration::from_hours(49));
    bench.tell_the_time(&alice);
    bench.store.admit(Arc::new(ask(&alice, Limits::default(), Charge::NONE))).await.unwrap();
    bench.store.settle(Arc::new(bench.abandoned.try_recv().unwrap())).await.unwrap();
    assert_eq!(total(&bench, &killed).await, charge(8, 80));
    let entries = bench.entries(&alice, Month::of(given.at)).await;
    let entry = entries.iter().find(|entry| entry.id == killed.id).unwrap();
    assert_eq!((entry.ending, entry.cost), (Ending::Abandoned, charge(8, 80)));
}

#[tokio::test]
async fn full_memory_refuses_changes_whole() {
    let bench = Bench::redis();
    let alice = subject("alice");
    bench.tell_the_time(&alice);
    let asked = ask(&alice, BUDGET, charge(5, 50));
    let given = bench.store.admit(Arc::new(asked.clone())).await.unwrap();
    let Place::Server(server) = &bench.place else { unreachable!() };
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(bench.store.revise(Arc::new(revise(&asked, given.at, charge(8, 80)))).await.is_err());
    bench.recover().await;
    assert_eq!(total(&bench, &asked).await, charge(5, 50));
    bench.store.settle(Arc::new(settlement(&asked, given.at, charge(3, 1)))).await.unwrap();
    assert_eq!(total(&bench, &asked).await, charge(3, 1));
}
