//! Whom a token stands for, once it has been believed.

use serde::{Deserialize, Serialize};

use super::{IdentityError, Scope, Scopes};
use crate::domain::{AudioMs, NanoUsd, Subject};
use crate::fair_share::ShareKey;

/// Who is calling and what they may do. Only a token that was checked becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose request it is: what is limited, metered and logged goes by this.
    pub subject: Subject,
    /// What they may do.
    pub scopes: Scopes,
    /// The key of `[plans]` whose limits apply.
    pub plan: String,
    /// The token's own name (`jti`), where its issuer gave it one.
    pub token_id: Option<String>,
    /// When the token ends, in seconds since 1970.
    pub expires_at: u64,
    /// When it was issued, in seconds since 1970, where it says so.
    pub issued_at: Option<u64>,
    /// What may be used with the token, in all.
    pub caps: Caps,
    /// The caller who made the session, where the token is that of one.
    pub maker: Option<Subject>,
}

/// What may be used in one session, whatever its caller's plan leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// In money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<NanoUsd>,
    /// In audio.
    #[serde(default, rename = "audio_ms", skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioMs>,
}

impl Caps {
    /// Whether nothing is capped.
    pub const fn are_none(&self) -> bool {
        self.usd.is_none() && self.audio.is_none()
    }
}

impl Caller {
    /// Refuses a caller whose token does not name `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), IdentityError> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(IdentityError::InsufficientScope { needed: scope }) }
    }

    /// The subject that is accountable for the load of this caller: the maker of its session, or the caller itself. A maker
    /// names the subjects of its sessions as it likes, so a bound for each of those alone would bound nothing.
    pub const fn accountable(&self) -> &Subject {
        match &self.maker {
            Some(maker) => maker,
            None => &self.subject,
        }
    }

    /// The same caller as the maker of sessions: what it does with them counts as the accountable subject's.
    #[must_use]
    pub fn acting_as_maker(&self) -> Self {
        Self { subject: self.accountable().clone(), maker: None, ..self.clone() }
    }

    /// The key under which its load counts.
    pub fn share_key(&self) -> ShareKey {
        match &self.maker {
            Some(maker) => ShareKey::of_session(maker.as_str(), self.subject.as_str()),
            None => ShareKey::of_caller(self.subject.as_str()),
        }
    }
}
