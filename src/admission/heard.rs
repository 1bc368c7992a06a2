//! What this process last heard of each caller's budgets, and what it has let in since that no store knows of: all that
//! there is to go by while the store is away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::limits::{Denial, Limits};
use crate::identity::Subject;
use crate::ledger::Charge;
use crate::units::Month;

/// A caller of whom nothing was heard for so long is forgotten.
const FORGET: Duration = Duration::from_hours(1);

/// What was heard.
#[derive(Debug)]
pub(super) struct Heard {
    clock: Clock,
    callers: Mutex<HashMap<Subject, Balance>>,
}

#[derive(Debug)]
struct Balance {
    month: Month,
    /// What the store said.
    spent: Charge,
    /// What was let in without the store and is not settled yet.
    owed: Charge,
    /// By the steady clock.
    at: Duration,
}

impl Heard {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, callers: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Balance>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A caller has been charged this much in a month, by the store.
    pub(super) fn note(&self, subject: &Subject, month: Month, spent: Charge) {
        let at = self.clock.steady();
        let mut callers = self.lock();
        let balance = callers.entry(subject.clone()).or_insert(Balance { month, spent, owed: Charge::NONE, at });
        (balance.month, balance.spent, balance.at) = (month, spent, at);
    }

    /// What a caller has been charged in a month, as far as is known here.
    pub(super) fn spent(&self, subject: &Subject, month: Month) -> Charge {
        self.lock().get(subject).map_or(Charge::NONE, |balance| balance.known(month))
    }

    /// What was let in without the store and is not settled yet.
    pub(super) fn owed(&self, subject: &Subject) -> Charge {
        self.lock().get(subject).map_or(Charge::NONE, |balance| balance.owed)
    }

    /// Charges `estimate`, if what is known leaves so much.
    pub(super) fn charge(
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
        let new = Balance { month, spent: Charge::NONE, owed: Charge::NONE, at };
        let balance = callers.entry(subject.clone()).or_insert(new);
        balance.owed = balance.owed.plus(estimate);
        Ok(())
    }

    /// The store knows now of what was let in without it.
    pub(super) fn settled(&self, subject: &Subject, estimate: Charge) {
        if let Some(balance) = self.lock().get_mut(subject) {
            balance.owed = balance.owed.minus(estimate);
        }
    }

    /// Forgets those of whom nothing was heard for long, and who owe nothing.
    pub(super) fn forget_idle(&self) {
        let now = self.clock.steady();
        let mut callers = self.lock();
        callers.retain(|_, balance| balance.owed != Charge::NONE || now.saturating_sub(balance.at) < FORGET);
        callers.shrink_to_fit();
    }
}

impl Balance {
    fn known(&self, month: Month) -> Charge {
        let spent = if self.month == month { self.spent } else { Charge::NONE };
        spent.plus(self.owed)
    }
}
