//! The caller that a verified token stands for.

use serde::{Deserialize, Serialize};

use super::{IdentityError, Scope, Scopes};
use crate::domain::{AudioMs, NanoUsd, Subject};
use crate::fair_share::ShareKey;

/// The caller and its permissions. Only a verified token becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The subject: limits, metering and the log use it.
    pub subject: Subject,
    /// The scopes.
    pub scopes: Scopes,
    /// The key of `[plans]` whose limits apply.
    pub plan: String,
    /// The token's id (`jti`), if its issuer gave it one.
    pub token_id: Option<String>,
    /// The expiry of the token (`exp`), in seconds since 1970.
    pub expires_at: u64,
    /// The time of issue (`iat`), in seconds since 1970, if the token has it.
    pub issued_at: Option<u64>,
    /// The caps on the total use of the token.
    pub caps: Caps,
    /// The caller that made the session, if the token belongs to one.
    pub maker: Option<Subject>,
}

/// The caps on the use of one session, in addition to the limits of its caller's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// The cap on cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<NanoUsd>,
    /// The cap on audio.
    #[serde(default, rename = "audio_ms", skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioMs>,
}

impl Caps {
    /// True if nothing is capped.
    pub const fn are_none(&self) -> bool {
        self.usd.is_none() && self.audio.is_none()
    }
}

impl Caller {
    /// Refuses a caller whose token does not name `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), IdentityError> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(IdentityError::InsufficientScope { needed: scope }) }
    }

    /// Returns the subject that is accountable for the load of this caller: the maker of its session, or the caller
    /// itself. A maker can choose any subjects for its sessions, so a bound for each of those alone would bound nothing.
    pub const fn accountable(&self) -> &Subject {
        match &self.maker {
            Some(maker) => maker,
            None => &self.subject,
        }
    }

    /// Returns this caller as the maker of sessions: the use of those sessions counts as that of the accountable subject.
    #[must_use]
    pub fn acting_as_maker(&self) -> Self {
        Self { subject: self.accountable().clone(), maker: None, ..self.clone() }
    }

    /// Returns the key under which the caller's load counts.
    pub fn share_key(&self) -> ShareKey {
        match &self.maker {
            Some(maker) => ShareKey::of_session(maker.as_str(), self.subject.as_str()),
            None => ShareKey::of_caller(self.subject.as_str()),
        }
    }
}
