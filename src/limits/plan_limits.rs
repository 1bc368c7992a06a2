//! The limits of one request, by the caller's plan.

use std::num::NonZeroU32;

use super::bucket::Bucket;
use super::decision::Denial;
use crate::config::Plan;
use crate::domain::{AudioMs, NanoUsd};
use crate::ledger::Charge;

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

/// The charge and audio of a permit that another permit of the same request replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replaced {
    /// The charge, which the permit will give back.
    pub charge: Charge,
    /// The audio that the permit has taken from the rate.
    pub rated: AudioMs,
}

impl Limits {
    /// Returns the limits of `plan` for a recording of this length.
    pub fn for_recording(plan: &Plan, length: AudioMs) -> Self {
        Self {
            requests: plan.requests.map(Bucket::for_requests),
            audio: plan.audio.map(|rate| Bucket::for_audio(rate, length)),
            concurrent: plan.concurrent,
            monthly_usd: plan.monthly_usd,
            monthly_audio: plan.monthly_audio,
        }
    }

    /// Returns the limits of a request that counts against the rate of requests alone.
    pub fn of_requests(requests: Option<Bucket>) -> Self {
        Self { requests, ..Self::default() }
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

    /// Returns the limits of `plan` for a permit that replaces an earlier one of the same request. The earlier permit will
    /// give back its charge. It has already taken one request and its audio from the rates, and it still counts
    /// as in flight, so none of that is taken again.
    pub fn for_replacement(replaced: Replaced, plan: &Plan, length: AudioMs) -> Self {
        let limits = Self::for_recording(plan, length);
        let Replaced { charge: charged, rated } = replaced;
        let more = length.saturating_sub(rated);
        let audio = plan.audio.filter(|_| more > AudioMs::default());
        Self {
            requests: None,
            audio: audio.map(|rate| Bucket::for_audio(rate, more)),
            concurrent: limits.concurrent.map(|max| max.saturating_add(1)),
            monthly_usd: limits.monthly_usd.map(|limit| limit.saturating_add(charged.usd).min(NanoUsd::MAX)),
            monthly_audio: limits.monthly_audio.map(|limit| limit.saturating_add(charged.audio)),
        }
    }

    /// Returns the limits of `plan` for a permit whose charge changes, and which has taken `rated` from the rate of audio.
    /// More audio takes the difference; less gives nothing back, as a settlement does.
    pub fn for_revision(rated: AudioMs, plan: &Plan, length: AudioMs) -> Self {
        let more = length.saturating_sub(rated);
        let audio = plan.audio.filter(|_| more > AudioMs::default());
        Self {
            requests: None,
            audio: audio.map(|rate| Bucket::for_audio(rate, more)),
            concurrent: None,
            monthly_usd: plan.monthly_usd,
            monthly_audio: plan.monthly_audio,
        }
    }

    /// Returns these limits without the budgets of which `new` takes no more than `old`: a charge that does not grow is
    /// never refused, even if the budget is exceeded already.
    #[must_use]
    pub fn of_growth(self, old: Charge, new: Charge) -> Self {
        Self {
            monthly_usd: self.monthly_usd.filter(|_| new.usd > old.usd),
            monthly_audio: self.monthly_audio.filter(|_| new.audio > old.audio),
            ..self
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
