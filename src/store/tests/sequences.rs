//! Any sequence of requests gives the verdicts of the model.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use super::bench::{Bench, Place, ask, charge, revise, settlement, subject};
use super::model::Model;
use crate::config::{AudioRate, RequestRate};
use crate::domain::{AudioMs, Month, NanoUsd, Subject};
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::ledger::{Charge, Ending, Usage};
use crate::limits::{AdmitRequest, Bucket, IfUnknown, Limits, ReviseRequest, Settlement};
use crate::store::Redis;

/// The token of a caller that is revoked.
const TOKEN: &str = "a-token";

/// A step of a sequence. Its numbers choose among the existing callers, plans and permits.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A caller of a plan asks, for this much audio at this price.
    AdmitRequest { caller: usize, plan: usize, audio: u64, usd: u64 },
    /// A repetition of an earlier question, as after a broken connection.
    AskAgain { which: usize },
    /// The charge of a permit is changed by a plan, with a new number or with an old one. The permit may be settled.
    Revise { which: usize, plan: usize, audio: u64, more: u64, usd: u64, is_new: bool, is_open: bool, with_token: bool },
    /// A caller's token is revoked, which some of its changes come with.
    Revoke { caller: usize },
    /// A permit is settled at this cost.
    Settle { which: usize, usd: u64, audio: u64 },
    /// A repetition of an earlier settlement.
    SettleAgain { which: usize },
    /// A settlement comes whose permit the store never gave.
    SettleUnknown { caller: usize, usd: u64, charged: bool },
    /// Time passes.
    Wait { ms: u64 },
    /// Days pass, after everything has been settled.
    Sleep { days: u64 },
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.9), any::<bool>());
    let step = prop_oneof![
        10 => (0..2_usize, 0..PLANS, 1..30_000_u64, 0..40_u64)
            .prop_map(|(caller, plan, audio, usd)| Step::AdmitRequest { caller, plan, audio, usd }),
        2 => any::<usize>().prop_map(|which| Step::AskAgain { which }),
        4 => (any::<usize>(), 0..60_u64, 0..40_000_u64)
            .prop_map(|(which, usd, audio)| Step::Settle { which, usd, audio }),
        4 => (any::<usize>(), 0..PLANS, (0..40_000_u64, 0..20_000_u64, 0..60_u64), flags)
            .prop_map(|(which, plan, (audio, more, usd), (is_new, is_open, with_token))| {
                Step::Revise { which, plan, audio, more, usd, is_new, is_open, with_token }
            }),
        1 => (0..2_usize).prop_map(|caller| Step::Revoke { caller }),
        2 => any::<usize>().prop_map(|which| Step::SettleAgain { which }),
        1 => (0..2_usize, 0..60_u64, any::<bool>())
            .prop_map(|(caller, usd, charged)| Step::SettleUnknown { caller, usd, charged }),
        4 => prop_oneof![1..50_u64, 50..5000_u64, 5000..70_000_u64].prop_map(|ms| Step::Wait { ms }),
        1 => (1..12_u64).prop_map(|days| Step::Sleep { days }),
    ];
    prop::collection::vec(step, 1..60)
}

const PLANS: usize = 6;

/// Returns the limits of plans that are all reached soon.
fn limits(plan: usize, audio: u64) -> Limits {
    let number = |n| NonZeroU32::new(n).unwrap();
    let requests = |per_minute, burst| {
        Some(Bucket::for_requests(RequestRate { per_minute: number(per_minute), burst: number(burst) }))
    };
    let seconds = |per_minute: u64, burst: u64| {
        let rate = AudioRate { per_minute: AudioMs::new(per_minute * 1000), burst: AudioMs::new(burst * 1000) };
        Some(Bucket::for_audio(rate, AudioMs::new(audio)))
    };
    match plan {
        0 => Limits { requests: requests(60, 3), audio: seconds(60, 60), ..Limits::default() },
        1 => Limits { requests: requests(7, 7), concurrent: Some(number(2)), ..Limits::default() },
        2 => Limits { audio: seconds(7, 30), monthly_usd: Some(NanoUsd::new(200)), ..Limits::default() },
        3 => Limits {
            requests: requests(1000, 2),
            concurrent: Some(number(3)),
            monthly_usd: Some(NanoUsd::new(100)),
            monthly_audio: Some(AudioMs::new(120_000)),
            ..Limits::default()
        },
        // Four hours of the rate.
        4 => Limits { audio: seconds(1, 240), ..Limits::default() },
        _ => Limits::default(),
    }
}

/// The store and the model, side by side.
pub(super) struct Pair<'a> {
    bench: &'a Bench,
    runtime: &'a Runtime,
    model: Model,
    pub(super) callers: [Subject; 2],
    asked: Vec<AdmitRequest>,
    settled: Vec<Settlement>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(bench: &'a Bench, runtime: &'a Runtime) -> Self {
        // Each sequence has new callers without any usage.
        static SEQUENCES: AtomicUsize = AtomicUsize::new(0);
        let sequence = SEQUENCES.fetch_add(1, Ordering::Relaxed);
        let callers = ["a", "b"].map(|name| subject(&format!("{name}-{sequence}")));
        Self { bench, runtime, model: Model::default(), callers, asked: Vec::new(), settled: Vec::new() }
    }

    pub(super) fn take(&mut self, step: &Step) {
        let now = self.bench.clock.now();
        match *step {
            Step::AdmitRequest { caller, plan, audio, usd } => {
                let ask = with_own_id(ask(&self.callers[caller], limits(plan, audio), charge(usd, audio)));
                self.asked.push(ask.clone());
                self.ask(ask);
            }
            Step::AskAgain { which } => {
                let open = self.model.open();
                if let Some(entry) = open.get(which % open.len().max(1)) {
                    let again = self.asked.iter().find(|ask| ask.id == entry.id).unwrap().clone();
                    self.ask(again);
                }
            }
            Step::Revise { which, plan, audio, more, usd, is_new, is_open, with_token } => {
                let ids: Vec<_> = if is_open {
                    self.model.open().iter().map(|entry| (entry.id, entry.at)).collect()
                } else {
                    self.settled.iter().map(|settlement| (settlement.id, settlement.at)).collect()
                };
                let Some((id, at)) = ids.get(which % ids.len().max(1)).copied() else { return };
                let Some(ask) = self.asked.iter().find(|ask| ask.id == id) else { return };
                let last = self.model.revision(id);
                let limits = Limits { requests: None, concurrent: None, ..limits(plan, more) };
                let revision = if is_new { last.next() } else { last };
                let request = ReviseRequest { revision, ..revise(ask, at, charge(usd, audio)) };
                let token = TokenRef { id: with_token.then(|| TOKEN.to_owned()), ..TokenRef::default() };
                self.revise(ReviseRequest { token, limits, ..request });
            }
            Step::Revoke { caller } => self.revoke(self.callers[caller].clone()),
            Step::Settle { which, usd, audio } => {
                let open = self.model.open();
                if let Some(entry) = open.get(which % open.len().max(1)) {
                    let ask = self.asked.iter().find(|ask| ask.id == entry.id).unwrap();
                    let usage = Some(Usage::Tokens { input: usd, output: audio });
                    self.settle(Settlement { usage, ..settlement(ask, entry.at, charge(usd, audio)) });
                }
            }
            Step::SettleAgain { which } => {
                if let Some(before) = self.settled.get(which % self.settled.len().max(1)) {
                    self.settle(Settlement { tried: true, ..before.clone() });
                }
            }
            Step::SettleUnknown { caller, usd, charged } => {
                let ask = with_own_id(ask(&self.callers[caller], Limits::default(), Charge::NONE));
                let unknown = if charged { IfUnknown::Charge } else { IfUnknown::Ignore };
                self.settle(Settlement { unknown, ..settlement(&ask, now, charge(usd, 7)) });
            }
            Step::Wait { ms } => self.bench.clock.advance(Duration::from_millis(ms)),
            Step::Sleep { days } => {
                for entry in self.model.open() {
                    let ask = self.asked.iter().find(|ask| ask.id == entry.id).unwrap();
                    let refund = Settlement { ending: Ending::Refunded, ..settlement(ask, entry.at, Charge::NONE) };
                    self.settle(refund);
                }
                self.bench.clock.advance(Duration::from_hours(24 * days));
            }
        }
    }

    fn ask(&mut self, ask: AdmitRequest) {
        self.bench.tell_the_time(&ask.subject);
        let expected = self.model.admit(&ask, self.bench.clock.now());
        let ask = Arc::new(ask);
        let said = self.insist(|| self.bench.store.admit(Arc::clone(&ask)));
        assert_eq!(said, expected, "{ask:?}");
    }

    fn revise(&mut self, request: ReviseRequest) {
        self.bench.tell_the_time(&request.subject);
        let expected = self.model.revise(&request, self.bench.clock.now());
        let request = Arc::new(request);
        let said = self.insist(|| self.bench.store.revise(Arc::clone(&request)));
        assert_eq!(said, expected, "{request:?}");
    }

    fn revoke(&mut self, subject: Subject) {
        self.bench.tell_the_time(&subject);
        self.model.revoke(&subject);
        let until = self.bench.clock.now().plus(Duration::from_hours(24 * 365 * 100));
        let revocation = Revocation { subject, tokens: RevokedTokens::Named(TOKEN.to_owned()), until };
        self.insist(|| self.bench.store.revoke(revocation.clone()));
    }

    fn settle(&mut self, settlement: Settlement) {
        self.bench.tell_the_time(&settlement.subject);
        self.model.settle(&settlement);
        let settlement = Arc::new(settlement);
        self.insist(|| self.bench.store.settle(Arc::clone(&settlement)));
        self.settled.push(Arc::unwrap_or_clone(settlement));
    }

    /// Asks again until the store answers, as a gateway may.
    fn insist<T, F>(&self, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, crate::store::StoreError>>,
    {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            match self.runtime.block_on(ask()) {
                Ok(answer) => return answer,
                Err(failure) => {
                    assert!(std::time::Instant::now() < deadline, "{failure}");
                    self.runtime.block_on(self.bench.recover());
                }
            }
        }
    }

    /// Checks that the store and the model have the same ledger, for this month and the last.
    fn compare(&mut self) {
        let now = self.bench.clock.now();
        let earlier = Month::of(Month::of(now).start().minus(Duration::from_millis(1)));
        for (caller, month) in self.callers.clone().iter().flat_map(|c| [(c, Month::of(now)), (c, earlier)]) {
            let statement = self.insist(|| self.bench.store.statement(caller, month));
            assert_eq!(statement, self.model.statement(caller, month));
            let entries = self.runtime.block_on(self.bench.entries(caller, month));
            assert_eq!(entries, self.model.entries(caller, month));
            let recorded = entries.iter().fold(Charge::NONE, |sum, entry| sum.plus(entry.cost));
            assert_eq!(recorded, statement.total.charge(), "the ledger and the counter differ");
            for entry in entries {
                let found = self.insist(|| self.bench.store.request(caller, &entry.info.request_id));
                assert_eq!(found, Some(entry));
            }
        }
    }
}

/// Gives a request an id that no other has.
fn with_own_id(mut ask: AdmitRequest) -> AdmitRequest {
    ask.info.request_id = ask.id.to_string();
    ask
}

fn follows_the_model(make: impl FnOnce() -> Bench, cases: u32) {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(async { make() });
    proptest!(crate::properties::cases(cases), |(steps in steps())| {
        let mut pair = Pair::new(&bench, &runtime);
        for step in &steps {
            pair.take(step);
        }
        pair.compare();
    });
}

#[test]
fn the_embedded_store_follows_the_model() {
    follows_the_model(Bench::embedded, 64);
}

#[test]
fn redis_follows_the_model() {
    follows_the_model(Bench::redis, 64);
}

#[test]
fn a_cluster_follows_the_model_through_a_failover() {
    let runtime = Runtime::new().unwrap();
    let mut bench = runtime.block_on(async { Bench::cluster() });
    let mut runner = TestRunner::new(ProptestConfig::default());
    let mut failed_over = Vec::new();
    for round in 0..12 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let (mut model, mut callers, mut asked, mut settled) = (Model::default(), None, Vec::new(), Vec::new());
        for half in steps.chunks(steps.len().div_ceil(2)) {
            let mut pair = Pair::new(&bench, &runtime);
            (pair.model, pair.asked, pair.settled) = (model, asked, settled);
            pair.callers = callers.unwrap_or(pair.callers);
            for step in half {
                pair.take(step);
            }
            pair.compare();
            (model, asked, settled) = (pair.model, pair.asked, pair.settled);
            let key = Redis::ledger_of(&pair.callers[0]);
            callers = Some(pair.callers);
            if ![3, 6].contains(&round) || failed_over.contains(&round) {
                continue;
            }
            failed_over.push(round);
            // A node that dies loses the data that its replica does not have yet: Redis promises no more.
            bench.replicated(&key);
            let Place::Cluster(cluster) = &mut bench.place else { unreachable!() };
            if round == 3 { cluster.hand_over(&key) } else { cluster.fail_over(&key) }
        }
    }
}
