//! What a caller used in a month.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Charge;
use crate::domain::Subject;
use crate::domain::{AudioMs, Month, NanoUsd};

/// A sum over requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// How many were admitted.
    pub requests: u64,
    /// How much audio was charged, in milliseconds.
    pub audio_ms: AudioMs,
    /// How much money was charged.
    pub spent_usd: NanoUsd,
}

impl Tally {
    /// What it takes from the budgets.
    pub const fn charge(self) -> Charge {
        Charge { usd: self.spent_usd, audio: self.audio_ms }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(more.requests),
            audio_ms: self.audio_ms.saturating_add(more.audio_ms),
            spent_usd: self.spent_usd.saturating_add(more.spent_usd),
        }
    }
}

/// The account of one caller for one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Whose it is.
    pub subject: Subject,
    /// For which month.
    pub month: Month,
    /// All that is charged now: what budgets are held against.
    pub total: Tally,
    /// The part of it that is settled, by the day on which it was admitted.
    pub by_day: BTreeMap<String, Tally>,
    /// The same by the model that was asked for.
    pub by_model: BTreeMap<String, Tally>,
}

impl Statement {
    /// The account of someone who has used nothing.
    pub fn empty(subject: Subject, month: Month) -> Self {
        Self { subject, month, total: Tally::default(), by_day: BTreeMap::new(), by_model: BTreeMap::new() }
    }

    /// What is charged for requests that are not settled: those in flight, and those of gateways that died.
    pub fn open(&self) -> Tally {
        self.by_day.values().fold(self.total, |open, day| Tally {
            requests: open.requests.saturating_sub(day.requests),
            audio_ms: open.audio_ms.saturating_sub(day.audio_ms),
            spent_usd: open.spent_usd.saturating_sub(day.spent_usd),
        })
    }
}
