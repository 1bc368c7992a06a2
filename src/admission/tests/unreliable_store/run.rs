//! A gateway over an unreliable store, which takes one step after another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::admission::limiter::{Limiter, LimiterParts};
use crate::admission::permit::Permit;
use crate::config::OnStoreFailure;
use crate::domain::{Subject, UnixMs};
use crate::ledger::PermitId;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::settlement::{SettlementQueue, SettlementQueueBuilder};
use crate::store::Store;
use crate::store::embedded::ManualThreads;
use crate::store::tests::bench::subject;
use crate::store::tests::faults::{Fault, Faults, Step};
use crate::store::tests::unreliable_redis::Unreliable;

/// The number of rounds in which every ready task may run until all of them wait: one event leads to another.
const HOPS: usize = 12;
/// The step by which time is moved.
const TICK: Duration = Duration::from_millis(50);

/// The store of a run, with its faults.
pub(super) enum Host {
    Embedded { threads: Box<ManualThreads>, folder: Arc<TempDir>, faults: Faults },
    Redis(Unreliable),
}

/// A request that was admitted.
pub(super) struct InFlight {
    pub(super) caller: usize,
    pub(super) permit: Permit,
    pub(super) id: PermitId,
    pub(super) estimate: u64,
}

/// A request whose charge is being changed.
pub(super) struct Revising {
    pub(super) task: JoinHandle<InFlight>,
    pub(super) caller: usize,
    pub(super) id: PermitId,
    /// The estimate before the change.
    pub(super) estimate: u64,
    /// The cost if the client leaves meanwhile.
    pub(super) cost: u64,
}

/// The task of a request: the caller, and the request if it was admitted.
pub(super) type Asking = JoinHandle<Option<InFlight>>;

/// A gateway, and the record of its promises.
pub(super) struct Run {
    pub(super) host: Host,
    pub(super) store: Arc<Store>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) queue: SettlementQueue,
    pub(super) clock: Clock,
    pub(super) began: UnixMs,
    pub(super) callers: [Subject; 2],
    pub(super) asking: Vec<Asking>,
    pub(super) in_flight: Vec<InFlight>,
    pub(super) revising: Vec<Revising>,
    /// The outcome of each admitted request, by its permit: the caller, the cost, and true if Redis has forgotten
    /// since.
    pub(super) ended: BTreeMap<PermitId, (usize, u64, bool)>,
    pub(super) admitted: [u64; 2],
    pub(super) forgot: bool,
    pub(super) _journal: TempDir,
}

impl Run {
    pub(super) fn over(
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
            revising: Vec::new(),
            ended: BTreeMap::new(),
            admitted: [0; 2],
            forgot: false,
            _journal: journal,
        }
    }

    pub(super) async fn take(&mut self, step: &Step) {
        match step {
            Step::AdmitRequest { caller, audio, faults } => {
                self.set_faults(faults);
                self.ask(*caller, *audio);
            }
            Step::Leave { which } => {
                let revising = self.revising.iter().map(|revising| &revising.task);
                let waiting: Vec<_> = self
                    .asking
                    .iter()
                    .map(JoinHandle::abort_handle)
                    .chain(revising.map(JoinHandle::abort_handle))
                    .collect();
                if !waiting.is_empty() {
                    waiting[which % waiting.len()].abort();
                }
            }
            Step::Revise { which, audio, faults } => {
                self.set_faults(faults);
                if !self.in_flight.is_empty() {
                    let revising = self.in_flight.remove(which % self.in_flight.len());
                    self.revise(revising, *audio);
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

    pub(super) fn set_faults(&mut self, faults: &[Fault]) {
        let next: Faults = faults.iter().copied().collect();
        match &mut self.host {
            Host::Embedded { faults, .. } => *faults = next,
            Host::Redis(redis) => redis.set_faults(next),
        }
    }

    pub(super) fn resume(&mut self) {
        match &mut self.host {
            Host::Embedded { threads, .. } => threads.resume(),
            Host::Redis(redis) => redis.resume(),
        }
    }

    /// Delivers a piece of late work; returns true if there was any.
    pub(super) fn deliver(&mut self, which: usize) -> bool {
        match &mut self.host {
            Host::Embedded { threads, .. } => threads.deliver(which),
            Host::Redis(redis) => redis.deliver(which),
        }
    }

    /// Runs everything that needs no time.
    pub(super) async fn go_on(&mut self) {
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
        let (done, revising): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.revising).into_iter().partition(|revising| revising.task.is_finished());
        self.revising = revising;
        for Revising { task, caller, id, cost, .. } in done {
            match task.await {
                Ok(revised) => self.in_flight.push(revised),
                Err(_) => drop(self.ended.insert(id, (caller, cost, false))),
            }
        }
    }

    pub(super) async fn wait(&mut self, ms: u64) {
        let end = self.clock.now().plus(Duration::from_millis(ms));
        while self.clock.now() < end {
            let tick = TICK.min(Duration::from_millis(end.get() - self.clock.now().get()));
            self.clock.advance(tick);
            tokio::time::advance(tick).await;
            self.go_on().await;
        }
    }

    /// Ends every request, and lets the store recover.
    pub(super) async fn be_quiet(&mut self) {
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
            let is_quiet = self.asking.is_empty() && self.in_flight.is_empty() && self.revising.is_empty();
            if is_quiet && (pending.owed, pending.waiting) == (0, 0) {
                break;
            }
        }
        assert!(self.asking.is_empty() && self.in_flight.is_empty() && self.revising.is_empty());
        let pending = self.limiter.pending();
        assert_eq!((pending.owed, pending.waiting), (0, 0), "something still waits to be told to the store");
    }

    pub(super) async fn finish(self) {
        drop(self.limiter);
        self.queue.close().await;
    }
}
