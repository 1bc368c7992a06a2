//! The delegation rule: a session grants no more than its maker may have.

use std::collections::BTreeMap;

use super::create::CreateSession;
use crate::config::Plan;
use crate::identity::{Caller, Scope, Scopes};

/// A reason why a caller may not make a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DelegationError {
    /// The session has no scope, or the scope to make sessions.
    #[error("a session is for one or more of: transcribe, translate, usage")]
    Scope,
    /// The caller's token has caps. Only the store knows how much of them is left, and each session would get that much
    /// again.
    #[error("A token with caps of its own cannot open sessions.")]
    MakerHasCaps,
    /// The caller lacks some of the scopes.
    #[error("You cannot give what your own token does not allow: its `scope` lacks `{missing}`.")]
    BeyondScope {
        /// The scopes that the caller lacks.
        missing: Scopes,
    },
    /// The plan is not configured.
    #[error("there is no such plan")]
    UnknownPlan,
    /// The plan allows more than the caller's plan.
    #[error("You cannot give the plan '{plan}', which allows more than your own.")]
    BeyondPlan {
        /// The plan of the session.
        plan: String,
    },
}

/// Refuses a session that grants more than `maker` may have.
pub fn check_delegation(
    session: &CreateSession,
    maker: &Caller,
    plans: &BTreeMap<String, Plan>,
) -> Result<(), DelegationError> {
    if session.scopes.is_empty() || session.scopes.contains(Scope::Sessions) {
        return Err(DelegationError::Scope);
    }
    if !maker.caps.are_none() {
        return Err(DelegationError::MakerHasCaps);
    }
    let missing = session.scopes.without(maker.scopes);
    if !missing.is_empty() {
        return Err(DelegationError::BeyondScope { missing });
    }
    let plan = plans.get(&session.plan).ok_or(DelegationError::UnknownPlan)?;
    let is_own = session.plan == maker.plan;
    if !is_own && !plans.get(&maker.plan).is_some_and(|own| plan.is_within(own)) {
        return Err(DelegationError::BeyondPlan { plan: session.plan.clone() });
    }
    Ok(())
}
