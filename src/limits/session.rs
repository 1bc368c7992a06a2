//! Sessions: short-lived tokens that a maker opens for its own users.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use crate::domain::{Subject, UnixMs};
use crate::identity::Caps;
use crate::ledger::Charge;

/// The maximum duration of a session. A page that stays open for longer requests another.
pub const MAX_DURATION: Duration = Duration::from_hours(24);

/// A session, as its maker sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id of the session, which is that of its token (`jti`).
    pub id: String,
    /// The subject that uses the session.
    pub subject: Subject,
    /// The key of `[plans]` whose limits apply.
    pub plan: String,
    /// The scope, as in the claim.
    pub scope: String,
    /// The time at which the session was opened.
    pub created_at: UnixMs,
    /// The time at which the session expires.
    pub expires_at: UnixMs,
    /// The caps on the total usage of the session.
    #[serde(flatten)]
    pub caps: Caps,
}

/// A request to open a session, with the limits that apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// The subject that is accountable for the session. Its sessions are counted and listed together.
    pub maker: Subject,
    /// The session.
    pub session: Session,
    /// The maker's rate of requests, of which the session takes one; `None` is unlimited.
    pub requests: Option<Bucket>,
    /// The maximum number of sessions that the maker may have open, this one included.
    pub max_open: NonZeroU32,
}

/// A store's decision on a [`SessionRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDecision {
    /// `None`: the session is open and listed, and its request is taken from the rate. Otherwise nothing is taken.
    pub denial: Option<SessionDenial>,
    /// The time until the maker's bucket of requests is full again.
    pub reset: Duration,
}

/// A reason to refuse a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionDenial {
    /// The rate of requests is exceeded; a request is admitted after the wait.
    Requests {
        /// The time to wait.
        wait: Duration,
    },
    /// The maker has the maximum number of sessions open.
    MaxOpen,
}

/// The requested page of a maker's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The id after which the page begins, even if no session has that id any more; `None`: from the beginning.
    pub after: Option<String>,
    /// The maximum number of sessions on the page.
    pub limit: usize,
}

/// A page of a maker's list, ordered by id.
///
/// An id begins with the time at which it was made (UUID version 7, RFC 9562 §5.7), so the oldest session comes first,
/// and a page can begin after a session that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions.
    pub data: Vec<Session>,
    /// True if more sessions follow.
    pub has_more: bool,
}

impl SessionDenial {
    /// Returns the denial of this name, as the script of Redis writes it. `wait` is the time to wait for a rate.
    pub fn parse(name: &str, wait: Duration) -> Option<Self> {
        Some(match name {
            "requests" => Self::Requests { wait },
            "open" => Self::MaxOpen,
            _ => return None,
        })
    }
}

impl SessionPage {
    /// Creates a page of at most `limit` sessions from `read`, which holds one more if more follow.
    pub fn from_read(mut read: Vec<Session>, limit: usize) -> Self {
        let has_more = read.len() > limit;
        read.truncate(limit);
        Self { data: read, has_more }
    }
}

/// The session with caps of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSession {
    /// The id of the session.
    pub id: String,
    /// The caps on the total usage of the session.
    pub caps: Caps,
    /// The time until which its charges are kept at least: the time from which its token is no longer accepted, or the end
    /// of work that goes on after that.
    pub expires_at: UnixMs,
}

impl InSession {
    /// Returns true if `charge` on top of `spent` exceeds the caps.
    pub fn is_exceeded(&self, spent: Charge, charge: Charge) -> bool {
        let sum = spent.plus(charge);
        self.caps.usd.is_some_and(|max| sum.usd > max) || self.caps.audio.is_some_and(|max| sum.audio > max)
    }

    /// Returns the session without the caps of which `new` takes no more than `old`.
    #[must_use]
    pub fn of_growth(&self, old: Charge, new: Charge) -> Self {
        let Caps { usd, audio } = self.caps;
        let usd = usd.filter(|_| new.usd > old.usd);
        let audio = audio.filter(|_| new.audio > old.audio);
        Self { caps: Caps { usd, audio }, ..self.clone() }
    }

    /// Returns the session for a permit that replaces an earlier one, which was charged `charged` and will get that
    /// back.
    #[must_use]
    pub fn for_replacement(mut self, charged: Charge) -> Self {
        self.caps.usd = self.caps.usd.map(|max| max.saturating_add(charged.usd));
        self.caps.audio = self.caps.audio.map(|max| max.saturating_add(charged.audio));
        self
    }
}
