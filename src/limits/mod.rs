//! The questions to a store and its answers: the limits of one request as numbers, and the decision on the request.

mod allowance;
mod budget_cache;
pub mod clock;
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
use crate::domain::{AudioMs, NanoUsd, Subject, UnixMs};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo};
use session::InSession;

const MINUTE_US: u64 = 60_000_000;

/// A request and its rate limit, as the generic cell rate algorithm (GCRA) sees them: the request takes `cells` from a
/// bucket that holds `burst` cells and gets one back every `cell`. Time is in whole microseconds, which every store can
/// represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// The time after which one cell comes back.
    pub cell: Duration,
    /// The number of cells that this request takes.
    pub cells: NonZeroU32,
    /// The number of cells in a full bucket.
    pub burst: NonZeroU32,
}

impl Bucket {
    /// Returns the bucket of one request: a cell is the time between two requests, rounded up, so that a minute never
    /// has one too many.
    pub fn of_request(rate: RequestRate) -> Self {
        let cell = MINUTE_US.div_ceil(u64::from(rate.per_minute.get()));
        Self { cell: Duration::from_micros(cell), cells: NonZeroU32::MIN, burst: rate.burst }
    }

    /// Returns the bucket of a recording: a cell is a microsecond of waiting. Rounded down, so that a recording that
    /// fits the burst exactly is also admitted in several pieces; the error is under a microsecond for each piece.
    pub fn of_audio(rate: AudioRate, length: AudioMs) -> Self {
        let waiting = |length: AudioMs| {
            let us = u128::from(length.get()) * u128::from(MINUTE_US) / u128::from(rate.per_minute.get().max(1));
            NonZeroU32::new(u32::try_from(us).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        Self { cell: Duration::from_micros(1), cells: waiting(length), burst: waiting(rate.burst) }
    }

    /// Returns the time after which the cells of the request have come back.
    pub fn weight(&self) -> Duration {
        self.cell.saturating_mul(self.cells.get())
    }

    /// Returns the time after which an empty bucket is full again.
    pub fn capacity(&self) -> Duration {
        self.cell.saturating_mul(self.burst.get())
    }
}

/// The limits of one request; `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The rate of requests, per minute.
    pub requests: Option<Bucket>,
    /// The rate of audio, per minute.
    pub audio: Option<Bucket>,
    /// The maximum number of requests in flight.
    pub concurrent: Option<NonZeroU32>,
    /// The budget of money per month.
    pub monthly_usd: Option<NanoUsd>,
    /// The budget of audio per month.
    pub monthly_audio: Option<AudioMs>,
}

impl Limits {
    /// Returns the limits of `plan` for a recording of this length.
    pub fn of(plan: &Plan, length: AudioMs) -> Self {
        Self {
            requests: plan.requests.map(Bucket::of_request),
            audio: plan.audio.map(|rate| Bucket::of_audio(rate, length)),
            concurrent: plan.concurrent,
            monthly_usd: plan.monthly_usd,
            monthly_audio: plan.monthly_audio,
        }
    }

    /// Returns these limits with the monthly budgets reduced by `owed`.
    #[must_use]
    pub fn without(self, owed: Charge) -> Self {
        Self {
            monthly_usd: self.monthly_usd.map(|limit| limit.saturating_sub(owed.usd)),
            monthly_audio: self.monthly_audio.map(|limit| limit.saturating_sub(owed.audio)),
            ..self
        }
    }

    /// Returns these limits with the number of requests in flight reduced by `count`; `None`: no other request may be
    /// in flight.
    pub fn without_in_flight(self, count: u32) -> Option<Self> {
        let Some(max) = self.concurrent else { return Some(self) };
        let concurrent = NonZeroU32::new(max.get().saturating_sub(count))?;
        Some(Self { concurrent: Some(concurrent), ..self })
    }

    /// Returns the limits of `plan` for a permit that replaces an earlier one of the same request, which was charged
    /// `charged` and will get that back: the request has been counted, its audio has been taken from the rate, and it
    /// is still in flight.
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

    /// Returns the monthly budget that `charge` on top of `spent` would exceed.
    pub fn exceeded(&self, spent: Charge, charge: Charge) -> Option<Denial> {
        let sum = spent.plus(charge);
        if self.monthly_usd.is_some_and(|limit| sum.usd > limit) {
            return Some(Denial::MonthlyUsd);
        }
        self.monthly_audio.is_some_and(|limit| sum.audio > limit).then_some(Denial::MonthlyAudio)
    }
}

/// The question to a store on one request: if the store admits it, the store also charges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitRequest {
    /// The id of the permit, if the request is admitted.
    pub id: PermitId,
    /// The caller.
    pub subject: Subject,
    /// The caller's token.
    pub token: TokenRef,
    /// The caller's session, if it has caps.
    pub session: Option<InSession>,
    /// The limits of the caller.
    pub limits: Limits,
    /// The expected cost.
    pub estimate: Charge,
    /// The time after which the request counts as dead.
    pub lease: Duration,
    /// The description of the request in the ledger.
    pub memo: RequestInfo,
}

impl AdmitRequest {
    /// Returns the record of the request, if it is admitted at `at`.
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

/// A reason to refuse a request. Of several limits that refuse it, the first in this order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The token is revoked.
    Revoked,
    /// The rate of requests is exceeded; a request is admitted after the wait.
    Requests {
        /// The time to wait.
        wait: Duration,
    },
    /// The rate of audio is exceeded; this recording is admitted after the wait.
    Audio {
        /// The time to wait.
        wait: Duration,
    },
    /// Too many requests are in flight. The time at which one of them ends is unknown.
    Concurrency,
    /// The month's budget of money does not suffice.
    MonthlyUsd,
    /// The month's budget of audio does not suffice.
    MonthlyAudio,
    /// The caps of the session do not suffice.
    Session,
}

impl Denial {
    /// Returns the denial by the rate with the longer wait, so that the advice is right; `None` if neither rate has a
    /// wait.
    pub fn by_rates(requests: Option<Duration>, audio: Option<Duration>) -> Option<Self> {
        match (requests, audio) {
            (None, None) => None,
            (Some(wait), other) if other.is_none_or(|other| wait >= other) => Some(Self::Requests { wait }),
            (_, other) => other.map(|wait| Self::Audio { wait }),
        }
    }
}

/// The state of a caller's limits, after the request if it was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountUsage {
    /// The time until the bucket of requests is full again.
    pub requests: Duration,
    /// The time until the bucket of audio is full again.
    pub audio: Duration,
    /// The number of requests in flight.
    pub in_flight: u32,
    /// The charges of the month.
    pub spent: Charge,
}

/// The answer of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The time of the decision, by the store's clock.
    pub at: UnixMs,
    /// `None`: the request is admitted, and everything is charged. Otherwise nothing is charged.
    pub denial: Option<Denial>,
    /// The state of the caller's limits.
    pub standing: AccountUsage,
}
