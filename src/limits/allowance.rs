//! The rest of a caller's rates, for the headers of an answer.

use std::time::Duration;

use super::bucket::Bucket;
use super::decision::RateReset;
use crate::config::{AudioRate, Plan, RequestRate};
use crate::domain::AudioMs;

/// The rest of a caller's rates. An unlimited rate is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// The rest of the rate of requests.
    pub requests: Option<RateWindow>,
    /// The rest of the rate of audio, in seconds.
    pub audio: Option<RateWindow>,
}

/// The rest of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateWindow {
    /// The limit per minute.
    pub limit: u64,
    /// The number that could come at once now.
    pub remaining: u64,
    /// The time until the bucket is full again.
    pub reset: Duration,
}

impl Allowance {
    /// Returns the rest of the rates of `plan` if the buckets need these times to be full again.
    pub fn for_plan(plan: &Plan, reset: RateReset) -> Self {
        Self {
            requests: plan.requests.map(|rate| RateWindow::of_requests(rate, reset.requests)),
            audio: plan.audio.map(|rate| RateWindow::of_audio(rate, reset.audio)),
        }
    }
}

impl RateWindow {
    fn of_requests(rate: RequestRate, reset: Duration) -> Self {
        let bucket = Bucket::for_requests(rate);
        let left = bucket.capacity().saturating_sub(reset);
        let remaining = whole(left.as_micros().checked_div(bucket.cell.as_micros()));
        Self { limit: rate.per_minute.get().into(), remaining, reset }
    }

    fn of_audio(rate: AudioRate, reset: Duration) -> Self {
        let left = Bucket::for_audio(rate, AudioMs::default()).capacity().saturating_sub(reset);
        let seconds = u128::from(rate.per_minute.get() / 1000);
        let remaining = whole((left.as_micros() * seconds).checked_div(60_000_000));
        Self { limit: rate.per_minute.get() / 1000, remaining, reset }
    }
}

fn whole(number: Option<u128>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}
