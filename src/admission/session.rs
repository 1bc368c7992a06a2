//! Tokens that were made here for a while, for somebody whom the maker knows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::{Caps, Subject};
use crate::ledger::Charge;
use crate::units::UnixMs;

/// The longest that one can last. A page that stays open for longer gets another.
pub const LONGEST: Duration = Duration::from_hours(24);

/// A session, as who opened it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name, which is that of its token (`jti`).
    pub id: String,
    /// Whom it is for.
    pub subject: Subject,
    /// The key of `[plans]` whose limits apply.
    pub plan: String,
    /// What it allows, as in the claim.
    pub scope: String,
    /// When it was opened.
    pub created_at: UnixMs,
    /// When it ends by itself.
    pub expires_at: UnixMs,
    /// What may be used in it, in all.
    #[serde(flatten)]
    pub caps: Caps,
}

/// What holds for a request that comes in a session with caps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSession {
    /// The session's name.
    pub id: String,
    /// What may be used in it.
    pub caps: Caps,
    /// When its token is taken no longer.
    pub expires_at: UnixMs,
}

impl InSession {
    /// Whether `charge` on top of `spent` is more than may be.
    pub fn is_exceeded(&self, spent: Charge, charge: Charge) -> bool {
        let sum = spent.plus(charge);
        self.caps.usd.is_some_and(|most| sum.usd > most) || self.caps.audio.is_some_and(|most| sum.audio > most)
    }

    /// The same for what takes the place of a request that was charged and will get that back.
    #[must_use]
    pub fn in_place_of(mut self, charged: Charge) -> Self {
        self.caps.usd = self.caps.usd.map(|most| most.saturating_add(charged.usd));
        self.caps.audio = self.caps.audio.map(|most| most.saturating_add(charged.audio));
        self
    }
}
