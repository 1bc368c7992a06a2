//! A caller's usage in one month.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Charge;
use crate::domain::{AudioMs, Month, NanoUsd, Subject};

/// Totals of several requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// The number of admitted requests.
    pub requests: u64,
    /// The charged audio, in milliseconds.
    pub audio_ms: AudioMs,
    /// The charged money.
    pub spent_usd: NanoUsd,
}

impl Tally {
    /// Returns the charge on the budgets.
    pub const fn charge(self) -> Charge {
        Charge { usd: self.spent_usd, audio: self.audio_ms }
    }

    /// Adds two tallies.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(more.requests),
            audio_ms: self.audio_ms.saturating_add(more.audio_ms),
            spent_usd: self.spent_usd.saturating_add(more.spent_usd),
        }
    }

    /// Subtracts `less`, down to zero.
    #[must_use]
    pub const fn minus(self, less: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(less.requests),
            audio_ms: self.audio_ms.saturating_sub(less.audio_ms),
            spent_usd: self.spent_usd.saturating_sub(less.spent_usd),
        }
    }
}

/// The account of one caller for one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The caller.
    pub subject: Subject,
    /// The month.
    pub month: Month,
    /// All current charges, which count against the budgets.
    pub total: Tally,
    /// The settled part, by the day of admission.
    pub by_day: BTreeMap<String, Tally>,
    /// The settled part, by the requested model.
    pub by_model: BTreeMap<String, Tally>,
}

impl Statement {
    /// Returns the statement of a caller without usage.
    pub fn empty(subject: Subject, month: Month) -> Self {
        Self { subject, month, total: Tally::default(), by_day: BTreeMap::new(), by_model: BTreeMap::new() }
    }

    /// Returns the charges of settled requests.
    pub fn settled(&self) -> Tally {
        self.by_day.values().fold(Tally::default(), |sum, day| sum.plus(*day))
    }

    /// Returns the charges of unsettled requests: those in flight, and those of gateways that died.
    pub fn open(&self) -> Tally {
        self.total.minus(self.settled())
    }
}
