//! The rules of a store in their plainest form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::domain::{Month, Subject, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, Statement, Tally};
use crate::limits::{AccountUsage, AdmitRequest, Bucket, Decision, Denial, IfUnknown, RateReset, Settlement};

#[derive(Default)]
struct Caller {
    /// The times at which the buckets will be full.
    requests: Duration,
    audio: Duration,
    /// The end of each lease.
    leases: HashMap<PermitId, Duration>,
}

#[derive(Default)]
pub(super) struct Model {
    callers: HashMap<Subject, Caller>,
    months: BTreeMap<(Subject, Month), Statement>,
    records: BTreeMap<PermitId, Entry>,
    settled: HashSet<PermitId>,
}

impl Model {
    pub(super) fn admit(&mut self, ask: &AdmitRequest, now: UnixMs) -> Decision {
        let time = Duration::from_millis(now.get());
        let month = self.month(&ask.subject, Month::of(now));
        let mut spent = month.total.charge();
        let caller = self.callers.entry(ask.subject.clone()).or_default();
        caller.leases.retain(|_, until| *until > time);
        let mut denial = None;
        if !self.records.contains_key(&ask.id) {
            denial = caller.deny(ask, time).or(ask.limits.exceeded(spent, ask.estimate));
            if denial.is_none() {
                spent = spent.plus(ask.estimate);
                caller.requests = taken(caller.requests, time, ask.limits.requests);
                caller.audio = taken(caller.audio, time, ask.limits.audio);
                caller.leases.insert(ask.id, time + ask.lease);
            }
        }
        let account = AccountUsage {
            reset: RateReset {
                requests: caller.requests.saturating_sub(time),
                audio: caller.audio.saturating_sub(time),
            },
            in_flight: caller.leases.len().try_into().unwrap(),
            spent,
        };
        if denial.is_none() && !self.records.contains_key(&ask.id) {
            self.records.insert(ask.id, ask.entry(now));
            let total = &mut self.month(&ask.subject, Month::of(now)).total;
            add(total, ask.estimate);
        }
        Decision { at: now, denial, account }
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        if let Some(caller) = self.callers.get_mut(&settlement.subject) {
            caller.leases.remove(&settlement.id);
        }
        let known = self.records.contains_key(&settlement.id);
        if self.settled.contains(&settlement.id) || (!known && settlement.unknown == IfUnknown::Ignore) {
            return;
        }
        self.settled.insert(settlement.id);
        self.records.insert(settlement.id, settlement.entry());
        let month = self.month(&settlement.subject, Month::of(settlement.at));
        if known {
            let left = month.total.charge().minus(settlement.estimate);
            month.total = Tally { requests: month.total.requests - 1, spent_usd: left.usd, audio_ms: left.audio };
        }
        add(&mut month.total, settlement.cost);
        add(month.by_day.entry(settlement.at.day()).or_default(), settlement.cost);
        add(month.by_model.entry(settlement.info.model.clone()).or_default(), settlement.cost);
    }

    pub(super) fn statement(&mut self, subject: &Subject, month: Month) -> Statement {
        self.month(subject, month).clone()
    }

    pub(super) fn entries(&self, subject: &Subject, month: Month) -> Vec<Entry> {
        let mine = |entry: &&Entry| entry.subject == *subject && Month::of(entry.at) == month;
        let mut entries: Vec<_> = self.records.values().filter(mine).cloned().collect();
        entries.sort_by_key(|entry| (entry.at, entry.id));
        entries
    }

    /// Returns the permits that are not settled yet.
    pub(super) fn open(&self) -> Vec<Entry> {
        self.records.values().filter(|entry| entry.ending == Ending::Open).cloned().collect()
    }

    fn month(&mut self, subject: &Subject, month: Month) -> &mut Statement {
        self.months.entry((subject.clone(), month)).or_insert_with(|| Statement::empty(subject.clone(), month))
    }
}

impl Caller {
    fn deny(&self, ask: &AdmitRequest, now: Duration) -> Option<Denial> {
        let requests = wait(self.requests, now, ask.limits.requests);
        let audio = wait(self.audio, now, ask.limits.audio);
        let full = ask.limits.concurrent.is_some_and(|max| self.leases.len() >= max.get() as usize);
        Denial::by_rates(requests, audio).or(full.then_some(Denial::Concurrency))
    }
}

/// Returns the time until the bucket has enough cells.
fn wait(full_at: Duration, now: Duration, bucket: Option<Bucket>) -> Option<Duration> {
    let bucket = bucket?;
    let ahead = full_at.saturating_sub(now);
    let wait = (ahead + bucket.weight()).saturating_sub(bucket.capacity());
    (wait > Duration::ZERO).then_some(wait)
}

fn taken(full_at: Duration, now: Duration, bucket: Option<Bucket>) -> Duration {
    bucket.map_or(full_at, |bucket| full_at.max(now) + bucket.weight())
}

fn add(tally: &mut Tally, charge: Charge) {
    let sum = tally.charge().plus(charge);
    *tally = Tally { requests: tally.requests + 1, spent_usd: sum.usd, audio_ms: sum.audio };
}
