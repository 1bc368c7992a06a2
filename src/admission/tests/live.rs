//! Live sessions: one permit whose charge grows in slices.

use std::sync::Arc;
use std::time::Duration;

use super::estimates::Bench;
use crate::admission::{Admission, LiveToAdmit, Permit, Refusal};
use crate::domain::{AudioMs, Length, NanoUsd, UnixMs};
use crate::identity::revocation::{Revocation, RevokedTokens};
use crate::identity::{Caller, Caps};
use crate::ledger::{Charge, Report, Usage};
use crate::limits::Limit;
use crate::models::{AttemptTarget, TargetChain};

const SLICE: AudioMs = AudioMs::new(30_000);
const LEASE: Duration = Duration::from_mins(1);

/// A live session of the caller of a bench.
struct Session<'a> {
    bench: &'a Bench,
    targets: TargetChain,
    permit: Permit,
    /// The slices so far.
    slices: u64,
}

/// The charge of so many seconds by the dearer model.
fn dear(seconds: u64) -> Charge {
    Charge { usd: NanoUsd::new(seconds * 100_000), audio: AudioMs::new(seconds * 1000) }
}

async fn targets(bench: &Bench) -> TargetChain {
    bench.admission.targets(&bench.caller, &bench.job(1).await).unwrap()
}

impl<'a> Session<'a> {
    async fn open(bench: &'a Bench) -> Result<Self, Refusal> {
        Self::open_with(bench, one_slice(&targets(bench).await)).await
    }

    async fn open_with(bench: &'a Bench, charge: Charge) -> Result<Self, Refusal> {
        let targets = targets(bench).await;
        let live = LiveToAdmit {
            caller: &bench.caller,
            targets: &targets,
            provider: "openai",
            request_id: "a-request",
            charge,
            rated: SLICE,
            lease: LEASE,
            until: bench.clock.now().plus(Duration::from_hours(1)),
        };
        let permit = bench.admission.admit_live(live).await?;
        Ok(Self { bench, targets, permit, slices: 1 })
    }

    /// Has the provider hear a turn of this many seconds.
    fn hear(&self, seconds: u64) {
        let log = self.permit.attempts().begin_piece(AudioMs::new(seconds * 1000), 0);
        let model = Arc::clone(&self.targets.requested);
        log.begin_attempt(AttemptTarget { model, provider: "openai".to_owned(), key: None }).upload().set();
        let usage = Some(Usage::Length(AudioMs::new(seconds * 1000)));
        log.piece_transcribed(Report { usage, duration: None });
    }

    /// Asks for another slice, on top of what was heard and of what is `in_flight`.
    async fn next(&mut self, in_flight: Charge) -> Result<(), Refusal> {
        let heard = self.permit.fold_finished_pieces();
        self.revise(heard.plus(in_flight).plus(one_slice(&self.targets))).await
    }

    async fn revise(&mut self, charge: Charge) -> Result<(), Refusal> {
        let rated = AudioMs::new(SLICE.get() * (self.slices + 1));
        let (admission, open) = (&self.bench.admission, self.permit.charge());
        admission.revise_live(&open, &self.bench.caller, charge, rated, LEASE).await?;
        self.slices += 1;
        Ok(())
    }
}

fn one_slice(targets: &TargetChain) -> Charge {
    Admission::live_estimate(targets, SLICE, 2, 0)
}

fn limit(refusal: Refusal) -> Limit {
    match refusal {
        Refusal::Limit(reached) => reached.limit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_slice_costs_its_audio_a_second_for_each_turn_and_the_texts_at_the_dearest_model() {
    let bench = Bench::new("");
    let targets = targets(&bench).await;
    assert_eq!(one_slice(&targets), dear(32));
    assert_eq!(Admission::live_estimate(&targets, SLICE, 0, 10), dear(30));
    // Ten bytes of text with each turn, at 2500 a token.
    let with_text = dear(33).plus(Charge { usd: NanoUsd::new(3 * 10 * 2500), audio: AudioMs::default() });
    assert_eq!(Admission::live_estimate(&targets, SLICE, 3, 10), with_text);
}

#[tokio::test]
async fn a_budget_is_spent_to_the_last_nano_dollar() {
    // One nano-dollar less than four slices, of which three are heard at the price of the cheaper model.
    let budget = 3 * 30 * 75_000 + 32 * 100_000;
    for (budget, is_enough) in [(budget, true), (budget - 1, false)] {
        let bench = Bench::new(&format!("monthly_usd = \"{}\"", NanoUsd::new(budget)));
        let mut session = Session::open(&bench).await.unwrap();
        assert_eq!(bench.spent().await, dear(32));
        for heard in 1..3 {
            session.hear(30);
            session.next(Charge::NONE).await.unwrap();
            let heard = Charge { usd: NanoUsd::new(heard * 30 * 75_000), audio: AudioMs::new(heard * 30_000) };
            assert_eq!(bench.spent().await, heard.plus(dear(32)));
        }
        session.hear(30);
        let before = bench.spent().await;
        let fourth = session.next(Charge::NONE).await;
        if is_enough {
            fourth.unwrap();
            assert_eq!(bench.spent().await.usd, NanoUsd::new(budget));
        } else {
            let Limit::MonthlyUsd { needed, left, .. } = limit(fourth.unwrap_err()) else { panic!() };
            assert_eq!((needed, left), (NanoUsd::new(budget + 1), NanoUsd::new(budget)));
            assert_eq!(bench.spent().await, before, "what is refused changes nothing");
        }
        let heard = Charge { usd: NanoUsd::new(3 * 30 * 75_000), audio: AudioMs::new(90_000) };
        session.permit.set_measured_audio(Length::Measured(AudioMs::new(95_000)), 0);
        session.permit.answered();
        drop(session);
        assert_eq!(bench.settled().await, heard);
    }
}

#[tokio::test]
async fn what_is_not_sent_costs_nothing() {
    let bench = Bench::new("");
    let mut session = Session::open(&bench).await.unwrap();
    session.next(Charge::NONE).await.unwrap();
    session.permit.answered();
    drop(session);
    assert_eq!(bench.settled().await, Charge::NONE);
}

#[tokio::test]
async fn a_used_up_rate_of_audio_has_room_again_later() {
    let bench = Bench::new("audio_seconds_per_minute = 60\naudio_burst_seconds = 60");
    let mut session = Session::open(&bench).await.unwrap();
    session.next(dear(10)).await.unwrap();
    let spent = bench.spent().await;
    bench.clock.advance(Duration::from_secs(10));
    for _ in 0..2 {
        let Limit::Audio { wait, needed, .. } = limit(session.next(dear(20)).await.unwrap_err()) else { panic!() };
        assert_eq!((wait, needed), (Duration::from_secs(20), SLICE));
    }
    // Meanwhile the lease can be renewed.
    let (open, rated) = (session.permit.charge(), AudioMs::new(2 * SLICE.get()));
    bench.admission.revise_live(&open, &bench.caller, spent, rated, LEASE).await.unwrap();
    assert_eq!(bench.spent().await, spent);
    bench.clock.advance(Duration::from_secs(20));
    session.next(dear(20)).await.unwrap();
    assert_eq!(bench.spent().await, dear(20 + 32));
    assert!(matches!(session.next(dear(20)).await, Err(Refusal::Limit(_))), "that took the difference");
}

#[tokio::test]
async fn a_slice_longer_than_the_burst_is_refused_at_once() {
    let bench = Bench::new("audio_seconds_per_minute = 60\naudio_burst_seconds = 29");
    assert!(matches!(Session::open(&bench).await.err().unwrap(), Refusal::LongerThanBurst { .. }));
}

#[tokio::test]
async fn a_session_is_one_request_and_one_in_flight_until_its_lease_ends() {
    let bench = Bench::new("requests_per_minute = 2\nmax_concurrent = 1");
    let mut session = Session::open(&bench).await.unwrap();
    for _ in 0..3 {
        bench.clock.advance(LEASE.saturating_sub(Duration::from_millis(1)));
        let refused = Session::open(&bench).await.err().unwrap();
        assert!(matches!(limit(refused), Limit::Concurrency { in_flight: 1, .. }));
        session.next(Charge::NONE).await.unwrap();
    }
    bench.clock.advance(LEASE);
    let _next = Session::open(&bench).await.unwrap();
}

#[tokio::test]
async fn a_model_without_a_price_needs_a_plan_without_a_budget_of_money() {
    for (plan, is_refused) in [("monthly_usd = \"1\"", true), ("monthly_audio_minutes = 10", false)] {
        let bench = Bench::new(plan);
        let targets = targets(&bench).await;
        let requested = Arc::new(crate::config::Model::unknown("unpriced"));
        let targets = TargetChain { requested, fallbacks: Vec::new(), ..targets };
        let live = LiveToAdmit {
            caller: &bench.caller,
            targets: &targets,
            provider: "openai",
            request_id: "a-request",
            charge: one_slice(&targets),
            rated: SLICE,
            lease: LEASE,
            until: UnixMs::new(0),
        };
        let admitted = bench.admission.admit_live(live).await;
        assert_eq!(matches!(admitted, Err(Refusal::Unpriced { .. })), is_refused);
    }
}

#[tokio::test]
async fn a_revoked_token_gets_no_other_slice() {
    let bench = Bench::new("");
    let mut session = Session::open(&bench).await.unwrap();
    let (subject, until) = (bench.caller.subject.clone(), bench.clock.now().plus(Duration::from_hours(1)));
    let revocation = Revocation { subject, tokens: RevokedTokens::IssuedUpTo(0), until };
    bench.limiter.revocations().revoke(revocation).await.unwrap();
    session.hear(7);
    assert!(matches!(session.next(Charge::NONE).await, Err(Refusal::Revoked)));
    assert_eq!(bench.spent().await, dear(32));
    session.permit.failed();
    drop(session);
    let heard = Charge { usd: NanoUsd::new(7 * 75_000), audio: AudioMs::new(7000) };
    assert_eq!(bench.settled().await, heard, "what was heard is charged");
}

#[tokio::test]
async fn a_crash_loses_no_more_than_what_came_after_the_last_slice() {
    let bench = Bench::new("");
    let mut session = Session::open(&bench).await.unwrap();
    session.hear(30);
    session.next(dear(5)).await.unwrap();
    session.hear(12);
    std::mem::forget(session.permit);
    let heard = Charge { usd: NanoUsd::new(30 * 75_000), audio: AudioMs::new(30_000) };
    assert_eq!(bench.spent().await, heard.plus(dear(5 + 32)));
}

#[tokio::test]
async fn the_caps_of_a_token_hold_after_it_has_expired() {
    let mut bench = Bench::new("");
    let caps = Caps { usd: Some(NanoUsd::new(110 * 100_000)), audio: None };
    let expires_at = bench.clock.now().get() / 1000 + 60;
    bench.caller = Caller { token_id: Some("a-token".to_owned()), expires_at, caps, ..bench.caller };
    let (mut first, mut second) = (Session::open(&bench).await.unwrap(), Session::open(&bench).await.unwrap());
    bench.clock.advance(Duration::from_mins(40));
    // The store forgets sessions that have ended, after a write.
    for _ in 0..2 {
        first.revise(dear(40)).await.unwrap();
    }
    second.revise(dear(70)).await.unwrap();
    assert!(matches!(limit(second.revise(dear(71)).await.unwrap_err()), Limit::SessionCaps { .. }));
    first.hear(10);
    first.permit.answered();
    drop(first);
    // A settlement is written in the background.
    while bench.spent().await.usd > NanoUsd::new(70 * 100_000 + 10 * 75_000) {
        tokio::task::yield_now().await;
    }
    assert!(second.revise(dear(110)).await.is_err(), "what the first one has cost counts");
    second.revise(dear(102)).await.unwrap();
}
