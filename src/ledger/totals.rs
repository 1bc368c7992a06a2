//! The usage of all callers in one month, for the operator.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Tally;
use crate::domain::{Month, Subject};

/// The largest number of callers that [`Totals`] names.
pub const MAX_CALLERS: usize = 100;

/// The settled usage of one caller in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerTally {
    /// The caller.
    pub subject: Subject,
    /// The settled part of the caller's charges.
    pub tally: Tally,
}

/// The settled usage of all callers in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The month.
    pub month: Month,
    /// The callers that spent most, at most [`MAX_CALLERS`], in the order of the money that they spent.
    pub by_caller: Vec<CallerTally>,
    /// The usage by the day of admission.
    pub by_day: BTreeMap<String, Tally>,
    /// The usage by the requested model.
    pub by_model: BTreeMap<String, Tally>,
}

impl Totals {
    /// Creates the totals of a month. `by_caller` may be in any order.
    pub fn new(
        month: Month,
        mut by_caller: Vec<CallerTally>,
        by_day: BTreeMap<String, Tally>,
        by_model: BTreeMap<String, Tally>,
    ) -> Self {
        by_caller.sort_by(|one, other| {
            let key = |caller: &CallerTally| Reverse(caller.tally.spent_usd);
            key(one).cmp(&key(other)).then_with(|| one.subject.cmp(&other.subject))
        });
        by_caller.truncate(MAX_CALLERS);
        Self { month, by_caller, by_day, by_model }
    }

    /// Returns the usage of the callers that are not named.
    pub fn others(&self) -> Tally {
        self.by_caller.iter().fold(self.total(), |rest, caller| rest.minus(caller.tally))
    }

    /// Returns the usage of the whole month.
    pub fn total(&self) -> Tally {
        self.by_day.values().fold(Tally::default(), |sum, day| sum.plus(*day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AudioMs, NanoUsd};

    #[test]
    fn callers_and_others_together_are_the_total() {
        let tally =
            |requests: u64| Tally { requests, audio_ms: AudioMs::new(requests * 7), spent_usd: NanoUsd::new(requests) };
        let caller =
            |number: u64| CallerTally { subject: format!("caller-{number}").parse().unwrap(), tally: tally(number) };
        let sum = (1..=103).fold(Tally::default(), |sum, number| sum.plus(tally(number)));
        let days = BTreeMap::from([("2026-11-01".to_owned(), sum)]);
        let totals = Totals::new("2026-11".parse().unwrap(), (1..=103).map(caller).collect(), days, BTreeMap::new());
        assert_eq!((totals.by_caller.len(), totals.by_caller[0].tally), (MAX_CALLERS, tally(103)));
        assert_eq!(totals.others(), tally(1).plus(tally(2)).plus(tally(3)));
    }
}
