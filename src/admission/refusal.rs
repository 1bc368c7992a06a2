//! The reasons to refuse a job, and their messages.

use std::fmt;
use std::time::Duration;

use crate::config::Plan;
use crate::domain::{AudioMs, Length, Month};
use crate::identity::Caps;
use crate::ledger::Charge;
use crate::limits::{AccountUsage, Allowance, Denial};
use crate::models::Unfit;

/// A reason to refuse a job.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The token names a plan that is not configured.
    #[error("The token's plan '{plan}' is not a plan of this gateway.")]
    UnknownPlan {
        /// The plan that the token names.
        plan: String,
    },
    /// The model exists, but not for this plan.
    #[error("Your plan '{plan}' does not allow the model '{model}'.")]
    ModelNotAllowed {
        /// The caller's plan.
        plan: String,
        /// The requested model.
        model: String,
    },
    /// The model does not exist.
    #[error("The model '{model}' does not exist or you do not have access to it.")]
    ModelNotFound {
        /// The requested model.
        model: String,
    },
    /// The model cannot do this job.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The model has no price, and the plan has a budget of money.
    #[error("The model '{model}' has no price, so it cannot be had on the monthly budget of your plan '{plan}'.")]
    Unpriced {
        /// The caller's plan.
        plan: String,
        /// The requested model.
        model: String,
    },
    /// The recording is longer than the plan can ever admit.
    #[error(
        "audio duration {} longer than the {most} seconds that your plan '{plan}' allows at once.", lasts(*length)
    )]
    LongerThanBurst {
        /// The caller's plan.
        plan: String,
        /// The recording, with the samples of known speakers.
        length: Length,
        /// The maximum length.
        most: AudioMs,
    },
    /// A limit is reached.
    #[error(transparent)]
    Limited(Box<Limited>),
    /// The session has used up its caps.
    #[error("You exceeded the quota of your session{}, and this request may cost {} USD and has {} s of audio. Get a new \
             session.", allowed(caps), needed.usd, needed.audio)]
    SessionSpent {
        /// The caps of the session.
        caps: Caps,
        /// The charge that this request needs.
        needed: Charge,
    },
    /// The maker has the maximum number of sessions open.
    #[error("You have {max} open sessions, which is the maximum. End one, or try again when one has ended.")]
    TooManySessions {
        /// The maximum number of sessions that a maker may have open.
        max: u32,
    },
    /// The token is revoked.
    #[error("The token has been revoked. Get a new one.")]
    Revoked,
    /// The store is away, and requests must be refused without it.
    #[error("The gateway cannot check your limits at the moment. Please try again.")]
    StoreAway,
}

/// Returns the measured length, such as `12.340 seconds is`, or an upper bound of it.
fn lasts(length: Length) -> String {
    match length {
        Length::Measured(length) => format!("{length} seconds is"),
        Length::AtMost(length) => format!("could not be measured and could be as long as {length} seconds, which is"),
    }
}

/// A limit that refused a request, with the rest of the caller's rates and the time to wait.
#[derive(Debug, Clone)]
pub struct Limited {
    /// The limit.
    pub denial: Denial,
    /// The rest of the rates.
    pub allowance: Allowance,
    plan_name: String,
    plan: Plan,
    standing: AccountUsage,
    needed: Charge,
    month: Month,
}

impl Limited {
    pub(super) fn new(
        denial: Denial,
        (plan_name, plan): (&str, &Plan),
        standing: AccountUsage,
        needed: Charge,
        month: Month,
    ) -> Self {
        let allowance = Allowance::of(plan, standing.requests, standing.audio);
        Self { denial, allowance, plan_name: plan_name.to_owned(), plan: plan.clone(), standing, needed, month }
    }

    /// Returns the time that a client has to wait, if it is known.
    pub fn wait(&self) -> Option<Duration> {
        match self.denial {
            Denial::Requests { wait } | Denial::Audio { wait } => Some(wait),
            Denial::Revoked | Denial::Session | Denial::Concurrency | Denial::MonthlyUsd | Denial::MonthlyAudio => None,
        }
    }
}

impl std::error::Error for Limited {}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, spent) = (&self.plan_name, self.standing.spent);
        let resets = self.month.next().start();
        match self.denial {
            Denial::Requests { wait } => {
                let limit = self.plan.requests.map_or(0, |rate| rate.per_minute.get());
                write!(
                    f,
                    "Rate limit reached: your plan '{plan}' allows {limit} requests a minute. Please try again in {}.",
                    seconds(wait)
                )
            }
            Denial::Audio { wait } => {
                let limit = self.plan.audio.map_or(0, |rate| rate.per_minute.get() / 1000);
                let needed = self.needed.audio;
                write!(
                    f,
                    "Rate limit reached: your plan '{plan}' allows {limit} seconds of audio a minute, and this recording \
                     has {needed}. Please try again in {}.",
                    seconds(wait)
                )
            }
            Denial::Revoked => Refusal::Revoked.fmt(f),
            Denial::Session => f.write_str("You exceeded the quota of your session."),
            Denial::Concurrency => {
                let limit = self.plan.concurrent.map_or(0, std::num::NonZeroU32::get);
                write!(
                    f,
                    "Your plan '{plan}' allows {limit} requests at a time, and {} are in progress. Please try again when \
                     one has finished.",
                    self.standing.in_flight
                )
            }
            Denial::MonthlyUsd => {
                let limit = self.plan.monthly_usd.unwrap_or_default();
                write!(
                    f,
                    "You exceeded your current quota: your plan '{plan}' allows {limit} USD a month, of which {} is left, \
                     and this request may cost {}. It resets at {resets}.",
                    limit.saturating_sub(spent.usd),
                    self.needed.usd
                )
            }
            Denial::MonthlyAudio => {
                let limit = self.plan.monthly_audio.unwrap_or_default();
                write!(
                    f,
                    "You exceeded your current quota: your plan '{plan}' allows {} minutes of audio a month, of which {} \
                     seconds are left, and this recording has {}. It resets at {resets}.",
                    limit.get() / 60_000,
                    limit.saturating_sub(spent.audio),
                    self.needed.audio
                )
            }
        }
    }
}

fn allowed(caps: &Caps) -> String {
    let usd = caps.usd.map(|most| format!("{most} USD"));
    let audio = caps.audio.map(|most| format!("{most} s of audio"));
    let both: Vec<_> = usd.into_iter().chain(audio).collect();
    if both.is_empty() { String::new() } else { format!(", which allows {} in all", both.join(" and ")) }
}

/// Formats a time, rounded up to a millisecond so that a client that waits for it is not too early: `1.5s`, `20ms`.
fn seconds(wait: Duration) -> String {
    let ms = wait.as_micros().div_ceil(1000);
    if ms < 1000 { format!("{ms}ms") } else { format!("{}.{:03}s", ms / 1000, ms % 1000) }
}
