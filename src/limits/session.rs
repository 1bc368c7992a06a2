//! Tokens that were made here for a while, for somebody whom the maker knows.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Subject;
use crate::domain::UnixMs;
use crate::identity::Caps;
use crate::ledger::Charge;
use crate::limits::Bucket;

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

/// A session that a maker asks to open, with the limits that hold for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// The subject that is accountable for the session. Its sessions are counted and listed together.
    pub maker: Subject,
    /// The session.
    pub session: Session,
    /// The maker's rate of requests, of which the session takes one; `None` is unlimited.
    pub requests: Option<Bucket>,
    /// The most sessions that the maker may have open, this one included.
    pub max_open: NonZeroU32,
}

/// A store's decision on a [`SessionRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDecision {
    /// `None`: the session is open and listed, and its request is taken from the rate. Otherwise nothing happened.
    pub denial: Option<SessionDenial>,
    /// How long until the maker's bucket of requests is full again.
    pub standing: Duration,
}

/// Why a session is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionDenial {
    /// Too many requests a minute; one gets in after the wait.
    Requests {
        /// How long.
        wait: Duration,
    },
    /// The maker has as many sessions open as it may have.
    MaxOpen,
}

/// Which part of a maker's list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The list continues after the position of this id, whether or not a session of that id is still listed; `None`: from
    /// the beginning.
    pub after: Option<String>,
    /// The most sessions of the page.
    pub limit: usize,
}

/// A part of a maker's list, in the order of ids.
///
/// An id begins with the time at which it was made (UUID version 7, RFC 9562 §5.7), so that the oldest session comes first, and
/// a page can begin after a session that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions.
    pub data: Vec<Session>,
    /// Whether others follow.
    pub has_more: bool,
}

impl SessionPage {
    /// The page of at most `limit` sessions, of which one more was read if there is one.
    pub fn of(mut read: Vec<Session>, limit: usize) -> Self {
        let has_more = read.len() > limit;
        read.truncate(limit);
        Self { data: read, has_more }
    }
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
