//! The answer of a store to a request.

use std::time::Duration;

use crate::domain::UnixMs;
use crate::ledger::Charge;

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
    SessionCaps,
}

impl Denial {
    /// Returns the denial of this name, as the scripts of Redis write it. `wait` is the time to wait for a rate.
    pub fn parse(name: &str, wait: Duration) -> Option<Self> {
        Some(match name {
            "revoked" => Self::Revoked,
            "requests" => Self::Requests { wait },
            "audio" => Self::Audio { wait },
            "concurrency" => Self::Concurrency,
            "usd" => Self::MonthlyUsd,
            "minutes" => Self::MonthlyAudio,
            "session" => Self::SessionCaps,
            _ => return None,
        })
    }

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

/// The times until a caller's buckets are full again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateReset {
    /// The time for the bucket of requests.
    pub requests: Duration,
    /// The time for the bucket of audio.
    pub audio: Duration,
}

/// The state of a caller's limits, after the request if it was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountUsage {
    /// The times until the buckets are full again.
    pub reset: RateReset,
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
    pub account: AccountUsage,
}
