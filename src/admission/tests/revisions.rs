//! Changes of a charge over a store that is up, slow or down.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::limiter::{Bench, LIMITS, RECOVERY, STORE_TIMEOUT};
use crate::admission::limiter::revise::{HeldCharge, LimiterRevision};
use crate::admission::limiter::{LimiterDecision, Unavailable};
use crate::config::OnStoreFailure;
use crate::domain::UnixMs;
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::ledger::Charge;
use crate::limits::leases::Granted;
use crate::limits::{Denial, Limits, ReviseRequest, Revision, Settlement};
use crate::store::tests::bench::{START, ask, charge, revise, settlement, subject};
use crate::telemetry::traces::Span;

type Changing = JoinHandle<Result<LimiterRevision, Unavailable>>;

/// A permit whose charge is changed.
struct Changed {
    decided: LimiterDecision,
    held: HeldCharge,
    revision: Revision,
}

impl Changed {
    fn new(decided: LimiterDecision, audio: u64) -> Self {
        let held = HeldCharge { charge: charge(0, audio), owed: Charge::NONE, decided_by: decided.decided_by };
        Self { decided, held, revision: Revision::default() }
    }

    fn begin(&mut self, bench: &Bench, audio: u64) -> Changing {
        self.revision = self.revision.next();
        let asked = ask(&subject("alice"), LIMITS, self.held.charge);
        let request = ReviseRequest {
            id: self.decided.id,
            revision: self.revision,
            token: TokenRef { ends_at: UnixMs::new(START).plus(Duration::from_hours(1)), ..TokenRef::default() },
            limits: Limits { concurrent: None, ..LIMITS },
            ..revise(&asked, self.decided.decision.at, charge(0, audio))
        };
        let (limiter, held) = (Arc::clone(&bench.limiter), self.held);
        tokio::spawn(async move { limiter.revise(request, held).await })
    }

    /// Changes the charge, which takes this time, and returns the denial.
    async fn to(&mut self, bench: &mut Bench, audio: u64, time: Duration) -> Result<Option<Denial>, Unavailable> {
        let changing = self.begin(bench, audio);
        bench.pass(time).await;
        let revised = changing.await.unwrap()?;
        self.held = revised.held;
        Ok(revised.decision.denial)
    }

    fn settle(self, bench: &Bench, audio: u64) {
        let asked = ask(&subject("alice"), LIMITS, self.held.charge);
        let settlement = Settlement {
            id: self.decided.id,
            without_store: self.held.decided_by == Granted::Locally,
            owed: self.held.owed,
            ..settlement(&asked, self.decided.decision.at, charge(0, audio))
        };
        bench.limiter.leases().end(&subject("alice"), self.decided.id);
        bench.limiter.settler().settle(settlement, Span::default());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_up_decides_on_changes() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
        assert_eq!(permit.to(&mut bench, 11, Duration::ZERO).await, Ok(Some(Denial::MonthlyAudio)));
        assert_eq!((permit.held.charge, bench.total().charge()), (charge(0, 4), charge(0, 4)));
        assert_eq!(permit.to(&mut bench, 10, Duration::ZERO).await, Ok(None));
        assert_eq!(bench.total().charge(), charge(0, 10));
        assert_eq!(bench.limiter.spent(&subject("alice")), charge(0, 10));
        permit.settle(&bench, 7);
        bench.pass(RECOVERY).await;
        assert_eq!(bench.total().charge(), charge(0, 7));
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_store_a_change_counts_against_the_known_budget_until_it_is_settled() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
        bench.threads.stall();
        assert_eq!(permit.to(&mut bench, 9, STORE_TIMEOUT).await, Ok(None));
        assert_eq!(permit.held.owed, charge(0, 5));
        let denied = bench.decided(2, Duration::ZERO).await.unwrap();
        assert_eq!(denied.decision.denial, Some(Denial::MonthlyAudio));
        assert_eq!(permit.to(&mut bench, 11, Duration::ZERO).await, Ok(Some(Denial::MonthlyAudio)));
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        // It still counts, since the store may not know of it.
        let denied = bench.decided(2, Duration::ZERO).await.unwrap();
        assert_eq!(denied.decision.denial, Some(Denial::MonthlyAudio));
        permit.settle(&bench, 8);
        bench.pass(RECOVERY).await;
        assert_eq!(bench.total().charge(), charge(0, 8));
        let last = bench.decided(2, Duration::ZERO).await.unwrap();
        assert_eq!((last.decision.denial, last.decision.account.spent), (None, charge(0, 10)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_change_tells_the_store_what_was_allowed_without_it() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
        bench.threads.stall();
        assert_eq!(permit.to(&mut bench, 9, STORE_TIMEOUT).await, Ok(None));
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        assert_eq!(permit.to(&mut bench, 8, Duration::ZERO).await, Ok(None));
        assert_eq!((permit.held.owed, bench.total().charge()), (Charge::NONE, charge(0, 8)));
        let next = bench.decided(2, Duration::ZERO).await.unwrap();
        assert_eq!(next.decision.denial, None, "nothing is owed any more");
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_store_is_required_a_change_waits_for_nothing_else() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Deny, in_front);
        let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
        bench.threads.stall();
        assert_eq!(permit.to(&mut bench, 9, STORE_TIMEOUT).await, Err(Unavailable));
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        // Whatever the store has made of the change, the settlement corrects it.
        permit.settle(&bench, 3);
        bench.pass(RECOVERY).await;
        assert_eq!(bench.total().charge(), charge(0, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_was_given_without_the_store_is_changed_without_it() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        bench.threads.stall();
        let mut permit = Changed::new(bench.decided(4, STORE_TIMEOUT).await.unwrap(), 4);
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        assert_eq!(permit.to(&mut bench, 11, Duration::ZERO).await, Ok(Some(Denial::MonthlyAudio)));
        for audio in [9, 6] {
            assert_eq!(permit.to(&mut bench, audio, Duration::ZERO).await, Ok(None));
            assert_eq!(bench.limiter.spent(&subject("alice")), charge(0, audio));
        }
        permit.settle(&bench, 5);
        bench.pass(RECOVERY).await;
        assert_eq!((bench.total().charge(), bench.total().requests), (charge(0, 5), 1));
        assert_eq!(bench.limiter.spent(&subject("alice")), charge(0, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_a_change_pays_what_its_request_costs() {
    for in_front in [false, true] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
        bench.threads.stall();
        let leaving = permit.begin(&bench, 9);
        bench.pass(Duration::ZERO).await;
        leaving.abort();
        permit.settle(&bench, 2);
        bench.pass(Duration::ZERO).await;
        bench.threads.resume();
        bench.pass(RECOVERY).await;
        assert_eq!((bench.total().charge(), bench.limiter.in_flight(&subject("alice"))), (charge(0, 2), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_known_to_be_revoked_changes_nothing_whatever_the_store_does() {
    for (in_front, is_stalled) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut bench = Bench::new(OnStoreFailure::Local, in_front);
        let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
        if is_stalled {
            bench.threads.stall();
            assert_eq!(permit.to(&mut bench, 5, STORE_TIMEOUT).await, Ok(None));
        }
        let held = permit.held;
        let until = UnixMs::new(START).plus(Duration::from_hours(1));
        let tokens = RevokedTokens::IssuedUpTo(0);
        bench.limiter.revocations().remember(&Revocation { subject: subject("alice"), tokens, until });
        assert_eq!(permit.to(&mut bench, 6, Duration::ZERO).await, Ok(Some(Denial::Revoked)));
        assert_eq!((permit.held, bench.limiter.spent(&subject("alice")).audio), (held, held.charge.audio));
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_the_store_reports_is_remembered() {
    let mut bench = Bench::new(OnStoreFailure::Local, true);
    let mut permit = Changed::new(bench.decided(4, Duration::ZERO).await.unwrap(), 4);
    let until = UnixMs::new(START).plus(Duration::from_hours(1));
    let revocation = Revocation { subject: subject("alice"), tokens: RevokedTokens::IssuedUpTo(0), until };
    let store = Arc::clone(&bench.store);
    let revoking = tokio::spawn(async move { store.revoke(revocation).await });
    bench.pass(Duration::ZERO).await;
    revoking.await.unwrap().unwrap();
    assert_eq!(bench.limiter.revocations().count_known(), 0);
    assert_eq!(permit.to(&mut bench, 5, Duration::ZERO).await, Ok(Some(Denial::Revoked)));
    assert_eq!((bench.limiter.revocations().count_known(), permit.held.charge), (1, charge(0, 4)));
    assert_eq!(bench.total().charge(), charge(0, 4));
}
