//! The rules of a store in their plainest form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::domain::{AudioMs, Month, NanoUsd, Subject, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, Statement, Tally};
use crate::limits::{
    AccountUsage, AdmitRequest, Bucket, Decision, Denial, IfUnknown, RateReset, ReviseRequest, Revision,
    RevisionDecision, RevisionOutcome, Settlement,
};

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
    revisions: HashMap<PermitId, Revision>,
    /// The callers whose tokens with an id are revoked.
    revoked: HashSet<Subject>,
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

    pub(super) fn revoke(&mut self, subject: &Subject) {
        self.revoked.insert(subject.clone());
    }

    /// Returns the last revision of a permit.
    pub(super) fn revision(&self, id: PermitId) -> Revision {
        self.revisions.get(&id).copied().unwrap_or_default()
    }

    pub(super) fn revise(&mut self, ask: &ReviseRequest, now: UnixMs) -> RevisionDecision {
        let time = Duration::from_millis(now.get());
        let known = self.records.get(&ask.id).filter(|record| record.ending == Ending::Open).cloned();
        let month = Month::of(known.as_ref().map_or(ask.at, |record| record.at));
        let mut spent = self.month(&ask.subject, month).total.charge();
        let last = self.revision(ask.id);
        let is_revoked = ask.token.id.is_some() && self.revoked.contains(&ask.subject);
        let caller = self.callers.entry(ask.subject.clone()).or_default();
        caller.leases.retain(|_, until| *until > time);
        let outcome = match known {
            None => RevisionOutcome::NotOpen,
            Some(_) if last >= ask.revision => RevisionOutcome::Charged,
            Some(mut record) => {
                let rest = spent.minus(record.cost);
                let (after, limits) = (rest.plus(ask.charge), ask.limits);
                let too_much = |grows: bool, after: u64, max: Option<u64>| grows && max.is_some_and(|max| after > max);
                let grows = ask.charge.minus(record.cost);
                let denial = if is_revoked {
                    Some(Denial::Revoked)
                } else if let Some(wait) = wait(caller.audio, time, limits.audio) {
                    Some(Denial::Audio { wait })
                } else if too_much(grows.usd.get() > 0, after.usd.get(), limits.monthly_usd.map(NanoUsd::get)) {
                    Some(Denial::MonthlyUsd)
                } else if too_much(grows.audio.get() > 0, after.audio.get(), limits.monthly_audio.map(AudioMs::get)) {
                    Some(Denial::MonthlyAudio)
                } else {
                    None
                };
                if denial.is_none() {
                    caller.audio = taken(caller.audio, time, limits.audio);
                    caller.leases.insert(ask.id, time + ask.lease);
                    spent = after;
                    (record.audio, record.estimate, record.cost) = (ask.charge.audio, ask.charge, ask.charge);
                    self.records.insert(ask.id, record);
                    self.revisions.insert(ask.id, ask.revision);
                }
                denial.map_or(RevisionOutcome::Charged, RevisionOutcome::Denied)
            }
        };
        let account = AccountUsage {
            reset: RateReset {
                requests: caller.requests.saturating_sub(time),
                audio: caller.audio.saturating_sub(time),
            },
            in_flight: caller.leases.len().try_into().unwrap(),
            spent,
        };
        let total = &mut self.month(&ask.subject, month).total;
        (total.spent_usd, total.audio_ms) = (spent.usd, spent.audio);
        RevisionDecision { at: now, outcome, account }
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        if let Some(caller) = self.callers.get_mut(&settlement.subject) {
            caller.leases.remove(&settlement.id);
        }
        let known = self.records.get(&settlement.id).map(|record| record.cost);
        if self.settled.contains(&settlement.id) || (known.is_none() && settlement.unknown == IfUnknown::Ignore) {
            return;
        }
        self.settled.insert(settlement.id);
        self.records.insert(settlement.id, settlement.entry());
        let month = self.month(&settlement.subject, Month::of(settlement.at));
        if let Some(charged) = known {
            let left = month.total.charge().minus(charged);
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
