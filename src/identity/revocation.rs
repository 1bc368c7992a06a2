//! Tokens that hold no longer, although they have not expired.

use std::time::Duration;

use crate::domain::Subject;
use crate::domain::UnixMs;
use crate::identity::Caller;

/// For how long a revocation is kept after its tokens have ended: clocks may differ.
pub const PAST_EXPIRY: Duration = Duration::from_hours(1);

/// What of a token tells whether it has been revoked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenRef {
    /// Its own name (`jti`).
    pub id: Option<String>,
    /// When it was issued (`iat`), in seconds since 1970. One that does not say so may be of any time.
    pub issued_at: Option<u64>,
    /// From when on it is taken no longer, whoever's clock that is by.
    pub ends_at: UnixMs,
}

impl TokenRef {
    /// That of the token by which a caller is known, where clocks may differ by `leeway`.
    pub fn of(caller: &Caller, leeway: Duration) -> Self {
        let ends_at = UnixMs::new(caller.expires_at.saturating_mul(1000)).plus(leeway);
        Self { id: caller.token_id.clone(), issued_at: caller.issued_at, ends_at }
    }

    /// What is known of revocations from this token being revoked: that it is, by its name, or else with all that were issued
    /// up to the same second.
    pub fn revocation(&self, subject: &Subject) -> Revocation {
        let tokens = match &self.id {
            Some(name) => RevokedTokens::Named(name.clone()),
            None => RevokedTokens::IssuedUpTo(self.issued_at.unwrap_or_default()),
        };
        Revocation { subject: subject.clone(), tokens, until: self.ends_at.plus(PAST_EXPIRY) }
    }

    /// Whether it is revoked, where every token is that was issued up to this second.
    pub fn is_up_to(&self, second: u64) -> bool {
        self.issued_at.is_none_or(|issued| issued <= second)
    }
}

/// Which tokens hold no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Whose they are.
    pub subject: Subject,
    /// Which.
    pub tokens: RevokedTokens,
    /// Until when that is to be remembered: until the last of them has expired.
    pub until: UnixMs,
}

/// Tokens of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RevokedTokens {
    /// The one of this name (`jti`).
    Named(String),
    /// All that were issued up to this second since 1970.
    IssuedUpTo(u64),
}

impl RevokedTokens {
    /// As it is kept: the name of the token, or `""` for all; and the second, or 0 for one by its name.
    pub(crate) fn parts(&self) -> (&str, u64) {
        match self {
            Self::Named(name) => (name, 0),
            Self::IssuedUpTo(second) => ("", *second),
        }
    }

    /// From what is kept.
    pub(crate) fn from_parts(token: String, up_to: u64) -> Self {
        if token.is_empty() { Self::IssuedUpTo(up_to) } else { Self::Named(token) }
    }
}
