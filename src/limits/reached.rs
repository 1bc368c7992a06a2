//! Limits that refuse a request, and their messages.

use std::time::Duration;

use super::allowance::Allowance;
use super::decision::{AccountUsage, Denial, RateReset};
use crate::config::Plan;
use crate::domain::{AudioMs, Month, NanoUsd};
use crate::identity::Caps;
use crate::ledger::Charge;

/// A limit that refused a request, and the rest of the caller's rates.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{limit}")]
pub struct LimitReached {
    /// The limit.
    pub limit: Limit,
    /// The rest of the rates.
    pub allowance: Allowance,
}

/// A limit that is reached, with the numbers of its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The rate of requests.
    #[error(
        "Rate limit reached: your plan '{plan}' allows {per_minute} requests a minute. Please try again in {}.",
        seconds(*wait)
    )]
    Requests {
        /// The caller's plan.
        plan: String,
        /// The maximum number of requests per minute.
        per_minute: u32,
        /// The time after which a request is admitted.
        wait: Duration,
    },
    /// The rate of audio.
    #[error(
        "Rate limit reached: your plan '{plan}' allows {seconds_per_minute} seconds of audio a minute, and this recording \
         has {needed}. Please try again in {}.",
        seconds(*wait)
    )]
    Audio {
        /// The caller's plan.
        plan: String,
        /// The maximum number of seconds of audio per minute.
        seconds_per_minute: u64,
        /// The length of the recording.
        needed: AudioMs,
        /// The time after which this recording is admitted.
        wait: Duration,
    },
    /// The requests in flight.
    #[error(
        "Your plan '{plan}' allows {max} requests at a time, and {in_flight} are in progress. Please try again when one \
         has finished."
    )]
    Concurrency {
        /// The caller's plan.
        plan: String,
        /// The maximum number of requests in flight.
        max: u32,
        /// The number of requests in flight.
        in_flight: u32,
    },
    /// The month's budget of money.
    #[error(
        "You exceeded your current quota: your plan '{plan}' allows {budget} USD a month, of which {left} is left, and \
         this request may cost {needed}. It resets at {}.",
        month.next().start()
    )]
    MonthlyUsd {
        /// The caller's plan.
        plan: String,
        /// The budget.
        budget: NanoUsd,
        /// The rest of the budget.
        left: NanoUsd,
        /// The cost that the request may have.
        needed: NanoUsd,
        /// The month.
        month: Month,
    },
    /// The month's budget of audio.
    #[error(
        "You exceeded your current quota: your plan '{plan}' allows {} minutes of audio a month, of which {left} seconds \
         are left, and this recording has {needed}. It resets at {}.",
        budget.get() / 60_000, month.next().start()
    )]
    MonthlyAudio {
        /// The caller's plan.
        plan: String,
        /// The budget.
        budget: AudioMs,
        /// The rest of the budget.
        left: AudioMs,
        /// The length of the recording.
        needed: AudioMs,
        /// The month.
        month: Month,
    },
    /// The caps of the caller's session.
    #[error(
        "You exceeded the quota of your session{}, and this request may cost {} USD and has {} s of audio. Get a new \
         session.",
        allowed(caps), needed.usd, needed.audio
    )]
    SessionCaps {
        /// The caps.
        caps: Caps,
        /// The charge that the request needs.
        needed: Charge,
    },
    /// The open sessions of a maker.
    #[error("You have {max} open sessions, which is the maximum. End one, or try again when one has ended.")]
    OpenSessions {
        /// The maximum number of open sessions.
        max: u32,
    },
}

/// The usage of a caller and the needs of its request, for the numbers of a [`Limit`].
#[derive(Debug, Clone, Copy)]
pub struct LimitContext<'a> {
    /// The name of the caller's plan.
    pub plan_name: &'a str,
    /// The caller's plan.
    pub plan: &'a Plan,
    /// The caps of the caller's session.
    pub caps: Caps,
    /// The state of the caller's limits.
    pub account: AccountUsage,
    /// The charge that the request needs.
    pub needed: Charge,
    /// The current month.
    pub month: Month,
}

impl LimitReached {
    /// Describes the denial of a store; `None` if no limit denied the request, but a revocation of its token.
    pub fn from_denial(denial: Denial, context: LimitContext<'_>) -> Option<Self> {
        let LimitContext { plan_name, plan, caps, account, needed, month } = context;
        let name = || plan_name.to_owned();
        let limit = match denial {
            Denial::Revoked => return None,
            // The rest of the rates has nothing to do with the caps, so the answer does not state it.
            Denial::SessionCaps => return Some(Limit::SessionCaps { caps, needed }.into()),
            Denial::Requests { wait } => return Some(Self::of_requests(wait, plan_name, plan, account.reset)),
            Denial::Audio { wait } => {
                let seconds_per_minute = plan.audio.map_or(0, |rate| rate.per_minute.get() / 1000);
                Limit::Audio { plan: name(), seconds_per_minute, needed: needed.audio, wait }
            }
            Denial::Concurrency => {
                let max = plan.concurrent.map_or(0, std::num::NonZeroU32::get);
                Limit::Concurrency { plan: name(), max, in_flight: account.in_flight }
            }
            Denial::MonthlyUsd => {
                let budget = plan.monthly_usd.unwrap_or_default();
                let left = budget.saturating_sub(account.spent.usd);
                Limit::MonthlyUsd { plan: name(), budget, left, needed: needed.usd, month }
            }
            Denial::MonthlyAudio => {
                let budget = plan.monthly_audio.unwrap_or_default();
                let left = budget.saturating_sub(account.spent.audio);
                Limit::MonthlyAudio { plan: name(), budget, left, needed: needed.audio, month }
            }
        };
        Some(Self { limit, allowance: Allowance::for_plan(plan, account.reset) })
    }

    /// Describes the rate of requests of a plan, which admits the next request after `wait`.
    pub fn of_requests(wait: Duration, plan_name: &str, plan: &Plan, reset: RateReset) -> Self {
        let per_minute = plan.requests.map_or(0, |rate| rate.per_minute.get());
        let limit = Limit::Requests { plan: plan_name.to_owned(), per_minute, wait };
        Self { limit, allowance: Allowance::for_plan(plan, reset) }
    }
}

/// A limit that has nothing to do with the caller's rates.
impl From<Limit> for LimitReached {
    fn from(limit: Limit) -> Self {
        Self { limit, allowance: Allowance::default() }
    }
}

fn allowed(caps: &Caps) -> String {
    let usd = caps.usd.map(|max| format!("{max} USD"));
    let audio = caps.audio.map(|max| format!("{max} s of audio"));
    let both: Vec<_> = usd.into_iter().chain(audio).collect();
    if both.is_empty() { String::new() } else { format!(", which allows {} in all", both.join(" and ")) }
}

/// Formats a time, rounded up to a millisecond so that a client that waits for it is not too early: `1.5s`, `20ms`.
fn seconds(wait: Duration) -> String {
    let ms = wait.as_micros().div_ceil(1000);
    if ms < 1000 { format!("{ms}ms") } else { format!("{}.{:03}s", ms / 1000, ms % 1000) }
}
