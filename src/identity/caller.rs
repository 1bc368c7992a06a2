//! Whom a token stands for, once it has been believed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IdentityError, Scope, Scopes};
use crate::fair_share::ShareKey;
use crate::units::{AudioMs, NanoUsd};

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

/// The name of a caller: 1 to 256 bytes without control characters, so that it is safe as a key, a label and a log field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject(String);

/// A text that cannot be a [`Subject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_NAME_BYTES} bytes of text without control characters")]
pub struct SubjectError;

const MAX_NAME_BYTES: usize = 256;

/// Whether `text` may be the name of something: what a [`Subject`] promises, for every name that a token brings.
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl Subject {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_name(&text) { Ok(Self(text)) } else { Err(SubjectError) }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
