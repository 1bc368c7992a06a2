//! Tokens that hold no longer, although they have not expired.

use crate::identity::{Caller, Subject};
use crate::units::UnixMs;

/// What of a token tells whether it has been revoked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenMark {
    /// Its own name (`jti`).
    pub id: Option<String>,
    /// When it was issued (`iat`), in seconds since 1970. One that does not say so may be of any time.
    pub issued_at: Option<u64>,
}

impl TokenMark {
    /// That of the token by which a caller is known.
    pub fn of(caller: &Caller) -> Self {
        Self { id: caller.token_id.clone(), issued_at: caller.issued_at }
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
    pub tokens: Tokens,
    /// Until when that is to be remembered: until the last of them has expired.
    pub until: UnixMs,
}

/// Tokens of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// The one of this name (`jti`).
    Named(String),
    /// All that were issued up to this second since 1970.
    IssuedUpTo(u64),
}
