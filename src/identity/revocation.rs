//! The revocation of tokens before they expire.

use std::time::Duration;

use crate::domain::{Subject, UnixMs};
use crate::identity::Caller;

/// The time that a revocation is kept after its tokens have expired: a live session may go on for a day after that, and clocks
/// may differ.
pub const PAST_EXPIRY: Duration = Duration::from_hours(25);

/// The parts of a token that decide on its revocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenRef {
    /// The token's id (`jti`).
    pub id: Option<String>,
    /// The time of issue (`iat`), in seconds since 1970. A token without it may be of any age.
    pub issued_at: Option<u64>,
    /// The time from which no gateway accepts the token, including the tolerance for clocks.
    pub ends_at: UnixMs,
}

impl TokenRef {
    /// Returns the reference to a caller's token. `leeway` is the allowed difference between clocks.
    pub fn of(caller: &Caller, leeway: Duration) -> Self {
        let ends_at = UnixMs::new(caller.expires_at.saturating_mul(1000)).plus(leeway);
        Self { id: caller.token_id.clone(), issued_at: caller.issued_at, ends_at }
    }

    /// Returns the revocation of this token: by its id, or, if it has none, with all tokens issued up to the same second.
    pub fn revocation(&self, subject: &Subject) -> Revocation {
        let tokens = match &self.id {
            Some(name) => RevokedTokens::Named(name.clone()),
            None => RevokedTokens::IssuedUpTo(self.issued_at.unwrap_or_default()),
        };
        Revocation { subject: subject.clone(), tokens, until: self.ends_at.plus(PAST_EXPIRY) }
    }

    /// True if a revocation of all tokens issued up to this second covers this token.
    pub fn is_up_to(&self, second: u64) -> bool {
        self.issued_at.is_none_or(|issued| issued <= second)
    }
}

/// A revocation of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The subject of the tokens.
    pub subject: Subject,
    /// The revoked tokens.
    pub tokens: RevokedTokens,
    /// The time until which the revocation is kept: after the last of the tokens has expired.
    pub until: UnixMs,
}

/// Tokens of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RevokedTokens {
    /// The token with this id (`jti`).
    Named(String),
    /// All tokens issued up to this second since 1970.
    IssuedUpTo(u64),
}

impl RevokedTokens {
    /// Returns the stored form: the id of the token, or `""` for all tokens; and the second, or 0 for a single token.
    pub(crate) fn parts(&self) -> (&str, u64) {
        match self {
            Self::Named(name) => (name, 0),
            Self::IssuedUpTo(second) => ("", *second),
        }
    }

    /// Restores it from the stored form.
    pub(crate) fn from_parts(token: String, up_to: u64) -> Self {
        if token.is_empty() { Self::IssuedUpTo(up_to) } else { Self::Named(token) }
    }
}
