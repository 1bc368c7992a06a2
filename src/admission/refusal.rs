//! The reasons to refuse a job, and their messages.

use crate::domain::{AudioMs, Length};
use crate::limits::LimitReached;
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
    #[error("The model '{model}' has no price, so it cannot be used with the monthly budget of your plan '{plan}'.")]
    Unpriced {
        /// The caller's plan.
        plan: String,
        /// The requested model.
        model: String,
    },
    /// The recording is longer than the plan allows.
    #[error("audio duration {} longer than the {max} seconds that your plan '{plan}' allows.", lasts(*length))]
    LongerThanPlan {
        /// The caller's plan.
        plan: String,
        /// The recording.
        length: Length,
        /// The maximum length.
        max: AudioMs,
    },
    /// The recording is longer than this gateway allows.
    #[error("audio duration {length} seconds is longer than the {max} seconds that this gateway allows.")]
    LongerThanAllowed {
        /// The recording.
        length: AudioMs,
        /// The maximum length.
        max: AudioMs,
    },
    /// The recording is longer than the plan can ever admit.
    #[error(
        "audio duration {} longer than the {max} seconds that your plan '{plan}' allows at once.", lasts(*length)
    )]
    LongerThanBurst {
        /// The caller's plan.
        plan: String,
        /// The recording, with the samples of known speakers.
        length: Length,
        /// The maximum length.
        max: AudioMs,
    },
    /// A limit is reached.
    #[error(transparent)]
    Limit(#[from] Box<LimitReached>),
    /// The token is revoked.
    #[error("The token has been revoked. Get a new one.")]
    Revoked,
    /// The store is down, and requests must be refused without it.
    #[error("The gateway cannot check your limits at the moment. Please try again.")]
    StoreUnavailable,
}

/// Returns the measured length, such as `12.340 seconds is`, or an upper bound of it.
fn lasts(length: Length) -> String {
    match length {
        Length::Measured(length) => format!("{length} seconds is"),
        Length::AtMost(length) => format!("could not be measured and could be as long as {length} seconds, which is"),
    }
}
