//! The last known budgets of each caller, and the charges that this process has admitted without the store since: the
//! only basis of decisions while the store is away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::decision::Denial;
use super::plan_limits::Limits;
use crate::domain::{Month, Subject};
use crate::ledger::Charge;

/// The idle time after which a caller is forgotten.
const FORGET_AFTER: Duration = Duration::from_hours(1);

/// The last known spending of every caller.
#[derive(Debug)]
pub(crate) struct BudgetCache {
    clock: Clock,
    callers: Mutex<HashMap<Subject, CachedBudget>>,
}

#[derive(Debug)]
struct CachedBudget {
    month: Month,
    /// The spending by the store's latest answer.
    spent: Charge,
    /// The charges admitted without the store and not settled yet.
    owed: Charge,
    /// The charges admitted without the store and settled since. The store's latest answer may not include them.
    settled: Charge,
    /// The time of the last of these settlements, by the steady clock.
    settled_at: Duration,
    /// The time of the store's latest answer, by the steady clock.
    at: Duration,
}

impl CachedBudget {
    const fn new(month: Month, at: Duration) -> Self {
        Self { month, spent: Charge::NONE, owed: Charge::NONE, settled: Charge::NONE, settled_at: Duration::ZERO, at }
    }

    /// Starts a later month.
    fn turn_to(&mut self, month: Month) {
        if month > self.month {
            (self.month, self.spent, self.settled) = (month, Charge::NONE, Charge::NONE);
        }
    }

    /// Returns the known charges of a month.
    fn known(&self, month: Month) -> Charge {
        let charged = if self.month == month { self.spent.plus(self.settled) } else { Charge::NONE };
        charged.plus(self.owed)
    }
}

impl BudgetCache {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, callers: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, CachedBudget>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the store's answer on a caller's spending in a month. The store was asked at `asked_at` by the steady
    /// clock.
    ///
    /// Answers to two overlapping questions may arrive in another order than the store decided on them: then the higher
    /// sum counts, until an answer comes that is certainly later.
    pub(crate) fn update(&self, subject: &Subject, month: Month, spent: Charge, asked_at: Duration) {
        let now = self.clock.steady();
        let mut callers = self.lock();
        let cached = callers.entry(subject.clone()).or_insert_with(|| CachedBudget::new(month, Duration::ZERO));
        let overlaps = cached.month == month && asked_at < cached.at;
        cached.spent = if overlaps { higher(cached.spent, spent) } else { spent };
        if cached.month != month || asked_at > cached.settled_at {
            cached.settled = Charge::NONE;
        }
        (cached.month, cached.at) = (month, now);
    }

    /// Returns a caller's charges in a month, as far as this process knows.
    pub(crate) fn spent(&self, subject: &Subject, month: Month) -> Charge {
        self.lock().get(subject).map_or(Charge::NONE, |cached| cached.known(month))
    }

    /// Returns the charges admitted without the store and not settled yet.
    pub(crate) fn owed(&self, subject: &Subject) -> Charge {
        self.lock().get(subject).map_or(Charge::NONE, |cached| cached.owed)
    }

    /// Returns the budget that the store's answer and the charges admitted without the store exceed together, if there
    /// are such charges.
    pub(crate) fn exceeded_with_local(&self, subject: &Subject, month: Month, limits: &Limits) -> Option<Denial> {
        let callers = self.lock();
        let cached = callers.get(subject)?;
        let has_local = cached.owed != Charge::NONE || cached.settled != Charge::NONE;
        has_local.then(|| limits.exceeded(cached.known(month), Charge::NONE)).flatten()
    }

    /// Charges `estimate`, if the known budgets have that much left.
    pub(crate) fn charge(
        &self,
        subject: &Subject,
        month: Month,
        limits: &Limits,
        estimate: Charge,
    ) -> Result<(), Denial> {
        let at = self.clock.steady();
        let mut callers = self.lock();
        let known = callers.get(subject).map_or(Charge::NONE, |cached| cached.known(month));
        if let Some(denial) = limits.exceeded(known, estimate) {
            return Err(denial);
        }
        let cached = callers.entry(subject.clone()).or_insert_with(|| CachedBudget::new(month, at));
        cached.turn_to(month);
        cached.owed = cached.owed.plus(estimate);
        Ok(())
    }

    /// Gives up charges that were admitted without the store: it has charged them now, or they are not made.
    pub(crate) fn release(&self, subject: &Subject, charge: Charge) {
        if let Some(cached) = self.lock().get_mut(subject) {
            cached.owed = cached.owed.minus(charge);
        }
    }

    /// Notes that the store has settled a charge admitted without it, as `cost` in a month instead of `estimate`.
    pub(crate) fn record_settled(&self, subject: &Subject, month: Month, estimate: Charge, cost: Charge) {
        let now = self.clock.steady();
        if let Some(cached) = self.lock().get_mut(subject) {
            cached.owed = cached.owed.minus(estimate);
            cached.turn_to(month);
            if cached.month == month {
                cached.settled = cached.settled.plus(cost);
                cached.settled_at = now;
            }
        }
    }

    /// Forgets callers that have been idle for long and owe nothing.
    pub(crate) fn forget_idle(&self) {
        let now = self.clock.steady();
        let mut callers = self.lock();
        let is_recent = |cached: &CachedBudget| now.saturating_sub(cached.at.max(cached.settled_at)) < FORGET_AFTER;
        callers.retain(|_, cached| cached.owed != Charge::NONE || is_recent(cached));
        callers.shrink_to_fit();
    }
}

/// Returns the higher of both, in money and in audio.
fn higher(one: Charge, other: Charge) -> Charge {
    Charge { usd: one.usd.max(other.usd), audio: one.audio.max(other.audio) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AudioMs, NanoUsd, UnixMs};

    fn usd(nanos: u64) -> Charge {
        Charge { usd: NanoUsd::new(nanos), audio: AudioMs::default() }
    }

    #[test]
    fn what_was_settled_counts_until_an_answer_that_must_include_it() {
        let clock = Clock::manual(UnixMs::new(1_794_700_800_000));
        let (cache, month) = (BudgetCache::new(clock.clone()), Month::of(clock.now()));
        let alice: Subject = "alice".parse().unwrap();
        let tick = || {
            clock.advance(Duration::from_millis(1));
            clock.steady()
        };
        let limits = Limits { monthly_usd: Some(NanoUsd::new(10)), ..Limits::default() };
        cache.update(&alice, month, usd(2), tick());
        cache.charge(&alice, month, &limits, usd(5)).unwrap();
        assert_eq!((cache.spent(&alice, month), cache.owed(&alice)), (usd(7), usd(5)));
        let asked_before = tick();
        tick();
        cache.record_settled(&alice, month, usd(5), usd(4));
        assert_eq!((cache.spent(&alice, month), cache.owed(&alice)), (usd(6), usd(0)));
        // The answer to an earlier question may or may not include the settlement.
        cache.update(&alice, month, usd(2), asked_before);
        assert_eq!(cache.spent(&alice, month), usd(6));
        assert_eq!(cache.charge(&alice, month, &limits, usd(5)), Err(Denial::MonthlyUsd));
        cache.update(&alice, month, usd(6), tick());
        assert_eq!(cache.spent(&alice, month), usd(6));
    }

    #[test]
    fn of_answers_to_questions_that_overlap_the_higher_sum_counts() {
        let clock = Clock::manual(UnixMs::new(1_794_700_800_000));
        let (cache, month) = (BudgetCache::new(clock.clone()), Month::of(clock.now()));
        let alice: Subject = "alice".parse().unwrap();
        let first = clock.steady();
        clock.advance(Duration::from_millis(1));
        let second = clock.steady();
        clock.advance(Duration::from_millis(1));
        cache.update(&alice, month, usd(9), second);
        cache.update(&alice, month, usd(4), first);
        assert_eq!(cache.spent(&alice, month), usd(9));
        clock.advance(Duration::from_millis(1));
        cache.update(&alice, month, usd(4), clock.steady());
        assert_eq!(cache.spent(&alice, month), usd(4), "something was given back");
    }
}
