//! What is asked of a store and what it answers: the limits of one request as numbers, and the decision about it.

mod allowance;
pub mod clock;
mod budget_cache;
pub mod leases;
pub mod rates;
pub mod session;
mod settlement;

pub use allowance::{Allowance, Share};
pub(crate) use budget_cache::BudgetCache;
pub use settlement::{IfUnknown, RateRefund, Settlement};

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{AudioRate, Plan, RequestRate};
use crate::domain::Subject;
use crate::domain::{AudioMs, NanoUsd, UnixMs};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo};
use session::InSession;

const MINUTE_US: u64 = 60_000_000;

/// One request before a rate limit, as the generic cell rate algorithm (GCRA) sees it: it takes `cells` of a bucket that
/// holds `burst` of them and gets one back every `cell`. Time is in whole microseconds, which every store can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// How long one cell takes to come back.
    pub cell: Duration,
    /// How many this request takes.
    pub cells: NonZeroU32,
    /// How many there can be at once.
    pub burst: NonZeroU32,
}

impl Bucket {
    /// One request: a cell is the time between two, rounded up, so that a minute never has one too many.
    pub fn of_request(rate: RequestRate) -> Self {
        let cell = MINUTE_US.div_ceil(u64::from(rate.per_minute.get()));
        Self { cell: Duration::from_micros(cell), cells: NonZeroU32::MIN, burst: rate.burst }
    }

    /// A recording: a cell is a microsecond of waiting. Rounded down, so that what fits the burst exactly in several
    /// pieces is let in; that is under a microsecond for each.
    pub fn of_audio(rate: AudioRate, length: AudioMs) -> Self {
        let waiting = |length: AudioMs| {
            let us = u128::from(length.get()) * u128::from(MINUTE_US) / u128::from(rate.per_minute.get().max(1));
            NonZeroU32::new(u32::try_from(us).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        Self { cell: Duration::from_micros(1), cells: waiting(length), burst: waiting(rate.burst) }
    }

    /// How long what it takes needs to come back.
    pub fn weight(&self) -> Duration {
        self.cell.saturating_mul(self.cells.get())
    }

    /// How long an empty bucket needs to be full again.
    pub fn capacity(&self) -> Duration {
        self.cell.saturating_mul(self.burst.get())
    }
}

/// The limits that hold for one request; what is `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests a minute.
    pub requests: Option<Bucket>,
    /// Audio a minute.
    pub audio: Option<Bucket>,
    /// Requests in flight.
    pub concurrent: Option<NonZeroU32>,
    /// Money a month.
    pub monthly_usd: Option<NanoUsd>,
    /// Audio a month.
    pub monthly_audio: Option<AudioMs>,
}

impl Limits {
    /// The limits of `plan` for a recording of this length.
    pub fn of(plan: &Plan, length: AudioMs) -> Self {
        Self {
            requests: plan.requests.map(Bucket::of_request),
            audio: plan.audio.map(|rate| Bucket::of_audio(rate, length)),
            concurrent: plan.concurrent,
            monthly_usd: plan.monthly_usd,
            monthly_audio: plan.monthly_audio,
        }
    }

    /// The same with so much less in the monthly budgets.
    #[must_use]
    pub fn without(self, owed: Charge) -> Self {
        Self {
            monthly_usd: self.monthly_usd.map(|limit| limit.saturating_sub(owed.usd)),
            monthly_audio: self.monthly_audio.map(|limit| limit.saturating_sub(owed.audio)),
            ..self
        }
    }

    /// The same with so many fewer requests in flight; `None`: no other may be.
    pub fn without_in_flight(self, count: u32) -> Option<Self> {
        let Some(max) = self.concurrent else { return Some(self) };
        let concurrent = NonZeroU32::new(max.get().saturating_sub(count))?;
        Some(Self { concurrent: Some(concurrent), ..self })
    }

    /// The limits of `plan` for what takes the place of a request that is let in already, was charged `charged` and will get
    /// that back: it has been counted, its audio has been taken from the rate, and it is still in flight.
    pub fn in_place_of(charged: Charge, plan: &Plan, length: AudioMs) -> Self {
        let limits = Self::of(plan, length);
        let more = length.saturating_sub(charged.audio);
        let audio = plan.audio.filter(|_| more > AudioMs::default());
        Self {
            requests: None,
            audio: audio.map(|rate| Bucket::of_audio(rate, more)),
            concurrent: limits.concurrent.map(|most| most.saturating_add(1)),
            monthly_usd: limits.monthly_usd.map(|limit| limit.saturating_add(charged.usd).min(NanoUsd::MAX)),
            monthly_audio: limits.monthly_audio.map(|limit| limit.saturating_add(charged.audio)),
        }
    }

    /// The monthly budget that `charge` on top of `spent` would not fit.
    pub fn exceeded(&self, spent: Charge, charge: Charge) -> Option<Denial> {
        let sum = spent.plus(charge);
        if self.monthly_usd.is_some_and(|limit| sum.usd > limit) {
            return Some(Denial::MonthlyUsd);
        }
        self.monthly_audio.is_some_and(|limit| sum.audio > limit).then_some(Denial::MonthlyAudio)
    }
}

/// One request before a store: may it, and if so, note that it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitRequest {
    /// The permit that it will have.
    pub id: PermitId,
    /// Whose limits they are.
    pub subject: Subject,
    /// The token that it came with.
    pub token: TokenRef,
    /// The session that it belongs to, where that has caps.
    pub session: Option<InSession>,
    /// What holds for them.
    pub limits: Limits,
    /// What it is expected to cost.
    pub estimate: Charge,
    /// How long it may take before it counts as dead.
    pub lease: Duration,
    /// What the record says of it.
    pub memo: RequestInfo,
}

impl AdmitRequest {
    /// The record that it opens if it is admitted at `at`.
    pub fn entry(&self, at: UnixMs) -> Entry {
        Entry {
            id: self.id,
            at,
            subject: self.subject.clone(),
            memo: self.memo.clone(),
            audio: self.estimate.audio,
            estimate: self.estimate,
            cost: self.estimate,
            usage: None,
            ending: Ending::Open,
        }
    }
}

/// Why a request is refused. Where several limits refuse it, the first in this order is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The token holds no longer.
    Revoked,
    /// Too many requests a minute; one gets in after the wait.
    Requests {
        /// How long.
        wait: Duration,
    },
    /// Too much audio a minute; this recording gets in after the wait.
    Audio {
        /// How long.
        wait: Duration,
    },
    /// Too many in flight. When one ends, nobody knows.
    Concurrency,
    /// The month's money does not suffice.
    MonthlyUsd,
    /// The month's audio does not suffice.
    MonthlyAudio,
    /// The session's own caps do not suffice.
    Session,
}

impl Denial {
    /// The denial by the rates that each say how long to wait, if one does: the longer wait, so that the advice is right.
    pub fn by_rates(requests: Option<Duration>, audio: Option<Duration>) -> Option<Self> {
        match (requests, audio) {
            (None, None) => None,
            (Some(wait), other) if other.is_none_or(|other| wait >= other) => Some(Self::Requests { wait }),
            (_, other) => other.map(|wait| Self::Audio { wait }),
        }
    }
}

/// Where a caller stands, after the request if it was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountUsage {
    /// How long until the bucket of requests is full again.
    pub requests: Duration,
    /// How long until the bucket of audio is full again.
    pub audio: Duration,
    /// Requests in flight.
    pub in_flight: u32,
    /// What the month's budgets have been charged.
    pub spent: Charge,
}

/// What a store says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// When, by the store's clock.
    pub at: UnixMs,
    /// `None`: it is admitted, and everything is charged. Otherwise nothing is.
    pub denial: Option<Denial>,
    /// Where the caller stands.
    pub standing: AccountUsage,
}
