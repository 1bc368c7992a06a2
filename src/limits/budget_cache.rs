//! What this process last heard of each caller's budgets, and what it has let in since that no store knows of: all that
//! there is to go by while the store is away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::{Denial, Limits};
use crate::domain::Month;
use crate::domain::Subject;
use crate::ledger::Charge;

/// A caller of whom nothing was heard for so long is forgotten.
const FORGET: Duration = Duration::from_hours(1);

/// What was heard.
#[derive(Debug)]
pub(crate) struct BudgetCache {
    clock: Clock,
    callers: Mutex<HashMap<Subject, CachedBudget>>,
}

#[derive(Debug)]
struct CachedBudget {
    month: Month,
    /// What the store said.
    spent: Charge,
    /// What was let in without the store and is not settled yet.
    owed: Charge,
    /// What was let in without the store and settled since: no answer of the store is known to include it.
    settled: Charge,
    /// When the last of that was settled, by the steady clock.
    settled_at: Duration,
    /// When the last answer of the store came, by the steady clock.
    at: Duration,
}

impl CachedBudget {
    const fn new(month: Month, at: Duration) -> Self {
        Self { month, spent: Charge::NONE, owed: Charge::NONE, settled: Charge::NONE, settled_at: Duration::ZERO, at }
    }

    /// Begins a later month.
    fn turn_to(&mut self, month: Month) {
        if month > self.month {
            (self.month, self.spent, self.settled) = (month, Charge::NONE, Charge::NONE);
        }
    }

    /// What is known to be charged in a month.
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

    /// A caller has been charged this much in a month, says the store, which was asked at `asked_at` by the steady clock.
    ///
    /// Two questions that overlap may be answered in the other order than the store decided on them: then the higher sum
    /// counts, until an answer comes that is surely later.
    pub(crate) fn note(&self, subject: &Subject, month: Month, spent: Charge, asked_at: Duration) {
        let now = self.clock.steady();
        let mut callers = self.lock();
        let balance = callers.entry(subject.clone()).or_insert_with(|| CachedBudget::new(month, Duration::ZERO));
        let overlaps = balance.month == month && asked_at < balance.at;
        balance.spent = if overlaps { higher(balance.spent, spent) } else { spent };
        if balance.month != month || asked_at > balance.settled_at {
            balance.settled = Charge::NONE;
        }
        (balance.month, balance.at) = (month, now);
    }

    /// What a caller has been charged in a month, as far as is known here.
    pub(crate) fn spent(&self, subject: &Subject, month: Month) -> Charge {
        self.lock().get(subject).map_or(Charge::NONE, |balance| balance.known(month))
    }

    /// What was let in without the store and is not settled yet.
    pub(crate) fn owed(&self, subject: &Subject) -> Charge {
        self.lock().get(subject).map_or(Charge::NONE, |balance| balance.owed)
    }

    /// The budget that is passed by what the store says and what was let in without it together, if something was.
    pub(crate) fn exceeded_with_local(&self, subject: &Subject, month: Month, limits: &Limits) -> Option<Denial> {
        let callers = self.lock();
        let balance = callers.get(subject)?;
        let has_local = balance.owed != Charge::NONE || balance.settled != Charge::NONE;
        has_local.then(|| limits.exceeded(balance.known(month), Charge::NONE)).flatten()
    }

    /// Charges `estimate`, if what is known leaves so much.
    pub(crate) fn charge(
        &self,
        subject: &Subject,
        month: Month,
        limits: &Limits,
        estimate: Charge,
    ) -> Result<(), Denial> {
        let at = self.clock.steady();
        let mut callers = self.lock();
        let known = callers.get(subject).map_or(Charge::NONE, |balance| balance.known(month));
        if let Some(denial) = limits.exceeded(known, estimate) {
            return Err(denial);
        }
        let balance = callers.entry(subject.clone()).or_insert_with(|| CachedBudget::new(month, at));
        balance.turn_to(month);
        balance.owed = balance.owed.plus(estimate);
        Ok(())
    }

    /// The store knows now of what was let in without it, as `cost` in a month in the place of `estimate`.
    pub(crate) fn settled(&self, subject: &Subject, month: Month, estimate: Charge, cost: Charge) {
        let now = self.clock.steady();
        if let Some(balance) = self.lock().get_mut(subject) {
            balance.owed = balance.owed.minus(estimate);
            balance.turn_to(month);
            if balance.month == month {
                balance.settled = balance.settled.plus(cost);
                balance.settled_at = now;
            }
        }
    }

    /// Forgets those of whom nothing was heard for long, and who owe nothing.
    pub(crate) fn forget_idle(&self) {
        let now = self.clock.steady();
        let mut callers = self.lock();
        let is_recent = |balance: &CachedBudget| now.saturating_sub(balance.at.max(balance.settled_at)) < FORGET;
        callers.retain(|_, balance| balance.owed != Charge::NONE || is_recent(balance));
        callers.shrink_to_fit();
    }
}

/// The higher of both, in money and in audio.
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
        let (heard, month) = (BudgetCache::new(clock.clone()), Month::of(clock.now()));
        let alice: Subject = "alice".parse().unwrap();
        let tick = || {
            clock.advance(Duration::from_millis(1));
            clock.steady()
        };
        let limits = Limits { monthly_usd: Some(NanoUsd::new(10)), ..Limits::default() };
        heard.note(&alice, month, usd(2), tick());
        heard.charge(&alice, month, &limits, usd(5)).unwrap();
        assert_eq!((heard.spent(&alice, month), heard.owed(&alice)), (usd(7), usd(5)));
        let asked_before = tick();
        tick();
        heard.settled(&alice, month, usd(5), usd(4));
        assert_eq!((heard.spent(&alice, month), heard.owed(&alice)), (usd(6), usd(0)));
        // An answer to a question that was asked before may include it, or may not.
        heard.note(&alice, month, usd(2), asked_before);
        assert_eq!(heard.spent(&alice, month), usd(6));
        assert_eq!(heard.charge(&alice, month, &limits, usd(5)), Err(Denial::MonthlyUsd));
        heard.note(&alice, month, usd(6), tick());
        assert_eq!(heard.spent(&alice, month), usd(6));
    }

    #[test]
    fn of_answers_to_questions_that_overlap_the_higher_sum_counts() {
        let clock = Clock::manual(UnixMs::new(1_794_700_800_000));
        let (heard, month) = (BudgetCache::new(clock.clone()), Month::of(clock.now()));
        let alice: Subject = "alice".parse().unwrap();
        let first = clock.steady();
        clock.advance(Duration::from_millis(1));
        let second = clock.steady();
        clock.advance(Duration::from_millis(1));
        heard.note(&alice, month, usd(9), second);
        heard.note(&alice, month, usd(4), first);
        assert_eq!(heard.spent(&alice, month), usd(9));
        clock.advance(Duration::from_millis(1));
        heard.note(&alice, month, usd(4), clock.steady());
        assert_eq!(heard.spent(&alice, month), usd(4), "something was given back");
    }
}
