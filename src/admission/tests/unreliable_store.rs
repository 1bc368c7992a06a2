//! Properties that hold however the store behaves: it is late, loses answers, stalls and forgets, under the limiters,
//! permits and settlement queues of a gateway. Time is moved by hand, so no test waits for a clock.
//!
//! - `run`: a gateway over such a store; `requests`: the requests of its callers
//! - `promises`: the promises that must hold after each step

mod promises;
mod requests;
mod run;

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::config::OnStoreFailure;
use crate::domain::UnixMs;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::store::tests::bench::{Bench, KEEP, START};
use crate::store::tests::faults::{Faults, Step, forgetful_steps, steps};
use crate::store::tests::unreliable_redis::Unreliable;
use crate::store::{Embedded, Store};
use run::{Host, Run};

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
