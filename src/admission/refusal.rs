//! Why a job may not be forwarded, in words.

use std::fmt;
use std::time::Duration;

use crate::config::Plan;
use crate::domain::{AudioMs, Length, Month};
use crate::identity::Caps;
use crate::ledger::Charge;
use crate::limits::Allowance;
use crate::limits::{AccountUsage, Denial};
use crate::models::Unfit;

/// Why a job may not be forwarded.
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
        /// The model that was asked for.
        model: String,
    },
    /// There is no such model.
    #[error("The model '{model}' does not exist or you do not have access to it.")]
    ModelNotFound {
        /// The model that was asked for.
        model: String,
    },
    /// The model cannot do this job.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Nobody knows what the model costs, and the plan has a budget of money.
    #[error("The model '{model}' has no price, so it cannot be had on the monthly budget of your plan '{plan}'.")]
    Unpriced {
        /// The caller's plan.
        plan: String,
        /// The model that was asked for.
        model: String,
    },
    /// The recording is longer than the plan ever lets in at once.
    #[error(
        "audio duration {} longer than the {most} seconds that your plan '{plan}' allows at once.", lasts(*length)
    )]
    LongerThanBurst {
        /// The caller's plan.
        plan: String,
        /// The recording, with the samples of known speakers.
        length: Length,
        /// The most.
        most: AudioMs,
    },
    /// A limit is reached.
    #[error(transparent)]
    Limited(Box<Limited>),
    /// The session has used what it may.
    #[error("You exceeded the quota of your session{}, and this request may cost {} USD and has {} s of audio. Get a new \
             session.", allowed(caps), needed.usd, needed.audio)]
    SessionSpent {
        /// What it may use in all.
        caps: Caps,
        /// What this request would.
        needed: Charge,
    },
    /// The maker of sessions has as many open as it may have.
    #[error("You have {max} open sessions, which is the maximum. End one, or try again when one has ended.")]
    TooManySessions {
        /// The most sessions that a maker may have open.
        max: u32,
    },
    /// The token holds no longer.
    #[error("The token has been revoked. Get a new one.")]
    Revoked,
    /// The store is away, and without it nobody is let in.
    #[error("The gateway cannot check your limits at the moment. Please try again.")]
    StoreAway,
}

/// `12.340 seconds is`, or that it could be so long.
fn lasts(length: Length) -> String {
    match length {
        Length::Measured(length) => format!("{length} seconds is"),
        Length::AtMost(length) => format!("could not be measured and could be as long as {length} seconds, which is"),
    }
}

/// A limit is reached: which, how much is left, and when to come back.
#[derive(Debug, Clone)]
pub struct Limited {
    /// Which.
    pub denial: Denial,
    /// What is left of the rates.
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

    /// How long a client has to wait, where that is known.
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

/// Rounded up to a millisecond, so that who waits as told does not come too early: `1.5s`, `20ms`.
fn seconds(wait: Duration) -> String {
    let ms = wait.as_micros().div_ceil(1000);
    if ms < 1000 { format!("{ms}ms") } else { format!("{}.{:03}s", ms / 1000, ms % 1000) }
}
