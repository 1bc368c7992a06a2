//! The promises to callers, checked against what the gateway, the store and the ledger say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::requests::{BUDGET, BURST, MAX_CONCURRENT, REQUESTS_PER_MINUTE};
use super::run::{Host, Run};
use crate::config::Namespace;
use crate::domain::{Month, Subject};
use crate::ledger::{Charge, Ending, Entry, PermitId, Statement};
use crate::limits::Limits;
use crate::store::embedded::Reader;
use crate::store::tests::bench::ask;

impl Run {
    /// Checks that requests in flight, usage and admissions stay within the plan.
    pub(super) fn check_what_is_promised(&self) {
        for caller in 0..2 {
            let in_flight = self.in_flight.iter().map(|held| (held.caller, held.estimate));
            let revising = self.revising.iter().map(|held| (held.caller, held.estimate));
            let held: Vec<_> = in_flight.chain(revising).filter(|(of, _)| *of == caller).collect();
            let max = MAX_CONCURRENT[caller] as usize;
            assert!(self.forgot || held.len() <= max, "{} of caller {caller} are in flight", held.len());
            if self.asking.is_empty() {
                let held_here = self.limiter.in_flight(&self.callers[caller]);
                assert!(held_here as usize <= held.len(), "{held_here} leases of caller {caller} for {}", held.len());
            }
            let ended = self.ended.values().filter(|(of, ..)| *of == caller);
            let used: u64 =
                ended.map(|(_, cost, _)| cost).sum::<u64>() + held.iter().map(|(_, estimate)| estimate).sum::<u64>();
            assert!(self.forgot || used <= BUDGET[caller], "caller {caller} has used {used}");
            let seconds = (self.clock.now().get() - self.began.get()).div_ceil(1000);
            let max = u64::from(BURST) + seconds * u64::from(REQUESTS_PER_MINUTE) / 60;
            assert!(self.admitted[caller] <= max, "{} of caller {caller} were let in", self.admitted[caller]);
        }
    }

    /// Checks that each admitted request is charged once, at its cost; that nothing else is charged; and that no lease
    /// is left.
    pub(super) async fn check_the_ledger(&mut self) {
        let month = Month::of(self.clock.now());
        for caller in 0..2 {
            let name = self.callers[caller].clone();
            let expected: BTreeMap<PermitId, u64> = self.of(caller, |_| true);
            let sure: BTreeMap<PermitId, u64> = self.of(caller, |forgotten| !forgotten);
            let entries = self.entries(&name, month);
            let recorded: BTreeMap<PermitId, u64> =
                entries.iter().map(|entry| (entry.id, entry.cost.audio.get())).collect();
            assert_eq!(recorded.len(), entries.len(), "something is recorded twice: {entries:?}");
            assert!(entries.iter().all(|entry| entry.ending == Ending::Answered), "{entries:?}");
            let (of_whom, costs): (BTreeSet<_>, BTreeSet<_>) = (recorded.keys().collect(), expected.keys().collect());
            assert!(of_whom.is_subset(&costs), "who was refused is charged: {entries:?}, let in: {expected:?}");
            assert!(recorded.iter().all(|(id, cost)| expected[id] == *cost), "{recorded:?} for {expected:?}");
            assert!(sure.iter().all(|(id, _)| recorded.contains_key(id)), "{recorded:?} for {sure:?}");
            let statement = self.statement(&name, month);
            let sum = (u64::try_from(recorded.len()).unwrap(), recorded.values().sum::<u64>());
            assert_eq!(
                (statement.total.requests, statement.total.audio_ms.get()),
                sum,
                "what is charged, and the records"
            );
            let open = statement.open();
            assert_eq!((open.requests, open.audio_ms.get()), (0, 0));
            assert_eq!(self.limiter.in_flight(&name), 0, "a lease is held here");
            assert_eq!(self.held_by_the_store(&name).await, 0, "a lease is held by the store");
        }
    }

    fn of(&self, caller: usize, which: impl Fn(bool) -> bool) -> BTreeMap<PermitId, u64> {
        let mine = self.ended.iter().filter(|(_, (of, _, forgotten))| *of == caller && which(*forgotten));
        mine.map(|(id, (_, cost, _))| (*id, *cost)).collect()
    }

    fn entries(&self, name: &Subject, month: Month) -> Vec<Entry> {
        match &self.host {
            Host::Embedded { folder, .. } => {
                let reader = Reader::open(folder.path(), Namespace::default()).unwrap().unwrap();
                reader.entries(Some(name), month).unwrap()
            }
            Host::Redis(redis) => redis.entries(name, month),
        }
    }

    fn statement(&self, name: &Subject, month: Month) -> Statement {
        match &self.host {
            Host::Embedded { folder, .. } => {
                let reader = Reader::open(folder.path(), Namespace::default()).unwrap().unwrap();
                reader.statement(name, month).unwrap()
            }
            Host::Redis(redis) => redis.statement(name, month),
        }
    }

    /// Returns the number of a caller's requests that the store counts as in flight.
    async fn held_by_the_store(&mut self, name: &Subject) -> u32 {
        let (store, asked) = (Arc::clone(&self.store), Arc::new(ask(name, Limits::default(), Charge::NONE)));
        let mut asking = tokio::spawn(async move { store.admit(asked).await });
        loop {
            self.go_on().await;
            if asking.is_finished() {
                return (&mut asking).await.unwrap().unwrap().account.in_flight - 1;
            }
        }
    }
}
