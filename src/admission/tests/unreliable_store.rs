//! Properties that hold however the store behaves: it is late, loses answers, stalls and forgets, under the limiters,
//! permits and settlement queues of a gateway. Time is moved by hand, so no test waits for a clock. `promises` has what must
//! hold after each run.

mod promises;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::admission::limiter::{Limiter, LimiterParts};
use crate::admission::permit::{PendingCharge, Permit};
use crate::config::{Model, OnStoreFailure, RequestRate};
use crate::domain::{AudioMs, Length, Subject, UnixMs};
use crate::ledger::{Charge, PermitId, Report, Usage};
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::{Bucket, Limits, Settlement};
use crate::settlement::{SettlementQueue, SettlementQueueBuilder};
use crate::store::embedded::ManualThreads;
use crate::store::tests::bench::{Bench, KEEP, START, ask, charge, settlement, subject};
use crate::store::tests::faults::{Fault, Faults, Step, forgetful_steps, steps};
use crate::store::tests::unreliable_redis::Unreliable;
use crate::store::{Embedded, Redis, Store};

/// The number of rounds in which every ready task may run until all of them wait: one event leads to another.
const HOPS: usize = 12;
/// The step by which time is moved.
const TICK: Duration = Duration::from_millis(50);

/// The maximum number of requests that each caller may have in flight.
const MAX_CONCURRENT: [u32; 2] = [1, 3];
/// The monthly audio budget of each caller, in ms.
const BUDGET: [u64; 2] = [150, 80];
const REQUESTS_PER_MINUTE: u32 = 60;
const BURST: u32 = 8;

fn limits(caller: usize) -> Limits {
    let number = |n| NonZeroU32::new(n).unwrap();
    let rate = RequestRate { per_minute: number(REQUESTS_PER_MINUTE), burst: number(BURST) };
    Limits {
        requests: Some(Bucket::for_requests(rate)),
        concurrent: Some(number(MAX_CONCURRENT[caller])),
        monthly_audio: Some(AudioMs::new(BUDGET[caller])),
        ..Limits::default()
    }
}

/// The store of a run, with its faults.
enum Host {
    Embedded { threads: Box<ManualThreads>, folder: Arc<TempDir>, faults: Faults },
    Redis(Unreliable),
}

/// A request that was admitted.
struct InFlight {
    caller: usize,
    permit: Permit,
    id: PermitId,
    estimate: u64,
}

/// The task of a request: the caller, and the request if it was admitted.
type Asking = JoinHandle<Option<InFlight>>;

/// A gateway, and the record of its promises.
struct Run {
    host: Host,
    store: Arc<Store>,
    limiter: Arc<Limiter>,
    queue: SettlementQueue,
    clock: Clock,
    began: UnixMs,
    callers: [Subject; 2],
    asking: Vec<Asking>,
    in_flight: Vec<InFlight>,
    /// The outcome of each admitted request, by its permit: the caller, the cost, and true if Redis has forgotten
    /// since.
    ended: BTreeMap<PermitId, (usize, u64, bool)>,
    admitted: [u64; 2],
    forgot: bool,
    _journal: TempDir,
}

impl Run {
    fn over(
        store: Store,
        host: Host,
        clock: Clock,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
        policy: OnStoreFailure,
    ) -> Self {
        // Each run has new callers without any usage.
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let callers = ["a", "b"].map(|name| subject(&format!("unreliable-{name}-{run}")));
        let (store, journal) = (Arc::new(store), TempDir::new().unwrap());
        let queue = SettlementQueueBuilder::new(journal.path(), 1000).unwrap();
        let parts = LimiterParts { store: Arc::clone(&store), on_failure: policy, clock: clock.clone(), rates, leases };
        let (limiter, queue) = Limiter::new(parts, queue);
        Self {
            host,
            store,
            limiter: Arc::new(limiter),
            queue,
            began: clock.now(),
            clock,
            callers,
            asking: Vec::new(),
            in_flight: Vec::new(),
            ended: BTreeMap::new(),
            admitted: [0; 2],
            forgot: false,
            _journal: journal,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::AdmitRequest { caller, audio, faults } => {
                self.set_faults(faults);
                self.ask(*caller, *audio);
            }
            Step::Leave { which } => {
                if !self.asking.is_empty() {
                    self.asking[which % self.asking.len()].abort();
                }
            }
            Step::End { which, percent, faults } => {
                self.set_faults(faults);
                if !self.in_flight.is_empty() {
                    let ending = self.in_flight.remove(which % self.in_flight.len());
                    self.end(ending, *percent);
                }
            }
            Step::Wait { ms } => self.wait(*ms).await,
            Step::Stall => match &mut self.host {
                Host::Embedded { threads, .. } => threads.stall(),
                Host::Redis(redis) => redis.stall(),
            },
            Step::Resume => self.resume(),
            Step::Deliver { which } => {
                self.deliver(*which);
            }
            Step::Crowd { caller } => self.crowd(*caller),
            Step::Forget => {
                if let Host::Redis(redis) = &self.host {
                    redis.forget();
                    self.forgot = true;
                    self.ended.values_mut().for_each(|(.., forgotten)| *forgotten = true);
                }
            }
        }
        self.go_on().await;
        self.check_what_is_promised();
    }

    fn set_faults(&mut self, faults: &[Fault]) {
        let next: Faults = faults.iter().copied().collect();
        match &mut self.host {
            Host::Embedded { faults, .. } => *faults = next,
            Host::Redis(redis) => redis.set_faults(next),
        }
    }

    fn resume(&mut self) {
        match &mut self.host {
            Host::Embedded { threads, .. } => threads.resume(),
            Host::Redis(redis) => redis.resume(),
        }
    }

    /// Delivers a piece of late work; returns true if there was any.
    fn deliver(&mut self, which: usize) -> bool {
        match &mut self.host {
            Host::Embedded { threads, .. } => threads.deliver(which),
            Host::Redis(redis) => redis.deliver(which),
        }
    }

    fn ask(&mut self, caller: usize, audio: u64) {
        let asked = ask(&self.callers[caller], limits(caller), charge(0, audio));
        let limiter = Arc::clone(&self.limiter);
        self.asking.push(tokio::spawn(async move {
            let (subject, info, estimate) = (asked.subject.clone(), asked.info.clone(), asked.estimate);
            let decided = limiter.admit(asked).await.ok().filter(|decided| decided.decision.denial.is_none())?;
            let (id, at, decided_by) = (decided.id, decided.decision.at, decided.decided_by);
            let account = PendingCharge {
                id,
                subject,
                session: None,
                at,
                info,
                estimate,
                rated: estimate.audio,
                text: 0,
                decided_by,
            };
            let model = Arc::new(Model::unknown("a:model"));
            let permit =
                Permit::new(model, account, Length::Measured(estimate.audio), limiter.settler(), limiter.leases());
            Some(InFlight { caller, permit, id, estimate: audio })
        }));
    }

    fn end(&mut self, ending: InFlight, percent: u64) {
        let InFlight { caller, mut permit, id, estimate } = ending;
        let cost = estimate * percent / 100;
        permit.answered();
        permit.record_usage(Report { usage: Some(Usage::Length(AudioMs::new(cost))), duration: None });
        self.ended.insert(id, (caller, cost, false));
    }

    /// Settles more records than a search of the latest records covers, for a caller that shares the list of records.
    fn crowd(&self, caller: usize) {
        let Host::Redis(redis) = &self.host else { return };
        let list = Redis::ledger_of(&self.callers[caller]);
        let names = (0..).map(|at| subject(&format!("crowd-{at}")));
        let neighbour = names.into_iter().find(|name| Redis::ledger_of(name) == list).unwrap();
        for _ in 0..70 {
            let asked = ask(&neighbour, Limits::default(), Charge::NONE);
            redis.settle_now(Settlement { without_store: true, ..settlement(&asked, self.clock.now(), charge(0, 1)) });
        }
    }

    /// Runs everything that needs no time.
    async fn go_on(&mut self) {
        for _ in 0..HOPS {
            tokio::task::yield_now().await;
            if let Host::Embedded { threads, faults, .. } = &mut self.host {
                threads.pump(faults);
            }
        }
        let (done, asking): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.asking).into_iter().partition(JoinHandle::is_finished);
        self.asking = asking;
        for task in done {
            if let Ok(Some(admitted)) = task.await {
                self.admitted[admitted.caller] += 1;
                self.in_flight.push(admitted);
            }
        }
    }

    async fn wait(&mut self, ms: u64) {
        let end = self.clock.now().plus(Duration::from_millis(ms));
        while self.clock.now() < end {
            let tick = TICK.min(Duration::from_millis(end.get() - self.clock.now().get()));
            self.clock.advance(tick);
            tokio::time::advance(tick).await;
            self.go_on().await;
        }
    }

    /// Ends every request, and lets the store recover.
    async fn be_quiet(&mut self) {
        self.set_faults(&[]);
        self.resume();
        self.go_on().await;
        for _ in 0..20 {
            while let Some(ending) = self.in_flight.pop() {
                self.end(ending, 50);
            }
            // Longer than any time limit of an answer, and than the time until the store counts as back.
            self.wait(3000).await;
            // Deliver the late work at last.
            while self.deliver(0) {
                self.go_on().await;
            }
            let pending = self.limiter.pending();
            if self.asking.is_empty() && self.in_flight.is_empty() && (pending.owed, pending.waiting) == (0, 0) {
                break;
            }
        }
        assert!(self.asking.is_empty() && self.in_flight.is_empty());
        let pending = self.limiter.pending();
        assert_eq!((pending.owed, pending.waiting), (0, 0), "something still waits to be told to the store");
    }

    async fn finish(self) {
        drop(self.limiter);
        self.queue.close().await;
    }
}

/// Runs one sequence of steps on a runtime whose time is moved by hand.
fn run(steps: &[Step], policy: OnStoreFailure, make: impl FnOnce(OnStoreFailure) -> Run) {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = make(policy);
        for step in steps {
            run.take(step).await;
        }
        run.be_quiet().await;
        run.check_what_is_promised();
        run.check_the_ledger().await;
        run.finish().await;
    });
}

fn embedded(policy: OnStoreFailure) -> Run {
    let (clock, folder) = (Clock::manual(UnixMs::new(START)), Arc::new(TempDir::new().unwrap()));
    let (rates, leases) = (Arc::new(Rates::new(clock.clone())), Arc::new(Leases::new(clock.clone())));
    let (store, threads) =
        Embedded::manual(folder.path(), KEEP, Arc::clone(&rates), Arc::clone(&leases), clock.clone());
    let host = Host::Embedded { threads: Box::new(threads), folder, faults: Faults::new() };
    Run::over(Store::Embedded(store), host, clock, rates, leases, policy)
}

fn policy() -> impl Strategy<Value = OnStoreFailure> {
    prop_oneof![3 => Just(OnStoreFailure::Local), 1 => Just(OnStoreFailure::Deny)]
}

#[test]
fn nobody_pays_for_a_refusal_or_twice_whatever_becomes_of_the_embedded_store() {
    proptest!(crate::properties::cases(64), |(steps in steps(), policy in policy())| {
        run(&steps, policy, embedded);
    });
}

#[test]
fn nobody_pays_for_a_refusal_or_twice_whatever_becomes_of_redis() {
    let real = Runtime::new().unwrap();
    let bench = Arc::new(real.block_on(async { Bench::redis() }));
    let redis = |policy| {
        let clock = bench.clock.clone();
        let (rates, leases) = (Arc::new(Rates::new(clock.clone())), Arc::new(Leases::new(clock.clone())));
        let unreliable = Unreliable::new(Arc::clone(&bench), real.handle().clone());
        Run::over(Store::Unreliable(unreliable.clone()), Host::Redis(unreliable), clock, rates, leases, policy)
    };
    let steps = prop_oneof![3 => steps(), 1 => forgetful_steps()];
    proptest!(crate::properties::cases(64), |(steps in steps, policy in policy())| {
        run(&steps, policy, redis);
    });
}
