//! The permissions that a token gives its bearer.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use crate::domain::words::words;

/// A permission of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Turn speech into text.
    Transcribe,
    /// Turn speech into English text.
    Translate,
    /// Read usage and cost.
    Usage,
    /// Open sessions for others, with no more permissions than the caller has.
    Sessions,
}

/// A word that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope; the scopes are {all}", all = Scopes::ALL)]
pub struct UnknownScope(String);

words!(Scope { Transcribe = "transcribe", Translate = "translate", Usage = "usage", Sessions = "sessions" });

impl Scope {
    const fn bit(self) -> u8 {
        match self {
            Self::Transcribe => 1,
            Self::Translate => 1 << 1,
            Self::Usage => 1 << 2,
            Self::Sessions => 1 << 3,
        }
    }
}

/// A set of scopes; empty by default.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// All scopes.
    pub const ALL: Self =
        Self(Scope::Transcribe.bit() | Scope::Translate.bit() | Scope::Usage.bit() | Scope::Sessions.bit());

    /// Reads the scopes in a token's `scope` claim. Unknown words are ignored: an issuer may serve other services with
    /// the same token.
    pub fn from_claim(claim: &str) -> Self {
        claim.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
    }

    /// True if the set contains `scope`.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns the scopes that are not among `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// True if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Lists the scopes in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

/// Unlike in [`Scopes::from_claim`], every word must be a scope: an operator who writes one wants to see a typing error.
impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(words: &str) -> Result<Self, Self::Err> {
        words.split_ascii_whitespace().map(|word| word.parse().map_err(|_| UnknownScope(word.to_owned()))).collect()
    }
}

impl BitOr for Scopes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Writes the scopes as the claim has them: `transcribe usage`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_gives_the_scopes_it_names_and_ignores_other_words() {
        for (claim, scopes) in [
            ("", ""),
            ("transcribe", "transcribe"),
            ("usage  transcribe", "transcribe usage"),
            ("openid email translate translate", "translate"),
            ("Transcribe transcribe:all transcribes", ""),
        ] {
            assert_eq!(Scopes::from_claim(claim).to_string(), scopes, "{claim:?}");
        }
    }

    #[test]
    fn scopes_written_by_hand_must_all_be_known() {
        assert_eq!("translate transcribe sessions usage".parse(), Ok(Scopes::ALL));
        assert_eq!("".parse(), Ok(Scopes::default()));
        let slip = "transcribe translat".parse::<Scopes>().unwrap_err();
        assert_eq!(
            slip.to_string(),
            r#""translat" is not a scope; the scopes are transcribe translate usage sessions"#
        );
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let some = Scopes::from_iter([Scope::Usage, Scope::Translate]);
        assert!(some.contains(Scope::Usage) && some.contains(Scope::Translate) && !some.contains(Scope::Transcribe));
        assert_eq!(format!("{some:?}"), "{Translate, Usage}");
        assert!(Scopes::default().is_empty() && !some.is_empty());
    }
}
