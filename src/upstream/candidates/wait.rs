//! The waits for candidates: how long a request, or a piece of a recording, waits for the next one.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::upstream::keyring::CandidateUnavailable;
use crate::upstream::piece_group::PieceGroup;
use crate::upstream::request::Deadline;

/// The longest wait for the next usable candidate, whatever a provider says.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The longest wait of a piece for a provider that fails. For one that is over its limit it waits as long as its request
/// may take, once a provider has answered for a piece of it: a limit slows the pieces down and fails none.
const MAX_PIECE_WAIT: Duration = Duration::from_mins(2);
/// The longest time by which a piece comes later than a limit ends, so that pieces that wait for the same limit do not
/// return together.
const MAX_SPREAD: Duration = Duration::from_secs(15);

/// The wait for a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CandidateWait {
    /// The time until the candidate is usable.
    pub(super) wait: Duration,
    pub(super) reason: CandidateUnavailable,
}

/// The times until which a request waits for a candidate.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitLimits {
    /// For a candidate that is over its limit.
    rate_limited: Instant,
    /// For any other candidate.
    other: Instant,
}

/// The end of the wait for a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WaitEnd {
    pub(super) time: Instant,
    reason: CandidateUnavailable,
}

impl WaitLimits {
    /// Returns the limits of a request with a whole recording that began at `begun` to look for its next candidate.
    pub(super) fn of_request(begun: Instant, deadline: Deadline) -> Self {
        let latest = (begun + MAX_WAIT).min(deadline.beginning);
        Self { rate_limited: latest, other: latest }
    }

    /// Returns the limits of a piece of a recording of which a provider has answered for another piece.
    pub(super) fn of_answered_piece(now: Instant, deadline: Deadline) -> Self {
        Self { rate_limited: deadline.beginning, other: (now + MAX_PIECE_WAIT).min(deadline.beginning) }
    }

    /// Returns the limits of a piece that waits `since` then, as long as nothing of its recording was heard: a client that
    /// gets the error soon loses nothing.
    pub(super) fn of_first_piece(since: Instant, now: Instant, deadline: Deadline) -> Self {
        let rate_limited = (since + MAX_PIECE_WAIT).min(deadline.beginning);
        Self { rate_limited, ..Self::of_answered_piece(now, deadline) }
    }

    /// Returns the end of the shortest wait that is allowed for its own reason.
    pub(super) fn first_within(self, waits: &[CandidateWait], now: Instant) -> Option<WaitEnd> {
        let allowed = waits.iter().filter_map(|&CandidateWait { wait, reason }| {
            let is_rate_limited = reason == CandidateUnavailable::KeyRateLimited;
            let latest = if is_rate_limited { self.rate_limited } else { self.other };
            let time = now.checked_add(wait).filter(|time| *time <= latest)?;
            Some(WaitEnd { time, reason })
        });
        allowed.min_by_key(|end| end.time)
    }
}

impl WaitEnd {
    /// Returns the time at which a piece tries again: at the end of its wait, or somewhat later if others wait for the same
    /// limit.
    pub(super) fn spread(self, now: Instant, deadline: Deadline, random: &mut fastrand::Rng) -> Instant {
        if self.reason != CandidateUnavailable::KeyRateLimited {
            return self.time;
        }
        let most = (self.time.saturating_duration_since(now) / 4).min(MAX_SPREAD);
        let later = self.time + most.mul_f64(random.f64());
        if later < deadline.beginning { later } else { self.time }
    }
}

/// Returns the reason that all candidates share. Keys in cooldown share theirs, be it a limit or a lack of money.
pub(super) fn common_reason(waits: &[CandidateWait]) -> CandidateUnavailable {
    let is_resting = |wait: &CandidateWait| {
        matches!(wait.reason, CandidateUnavailable::KeyRateLimited | CandidateUnavailable::QuotaExhausted)
    };
    let Some(first) = waits.iter().min() else { return CandidateUnavailable::ProviderFailing };
    let is_shared = waits.iter().all(|wait| wait.reason == first.reason) || waits.iter().all(is_resting);
    if is_shared { first.reason } else { CandidateUnavailable::ProviderFailing }
}

/// Waits until a time, or until another piece has failed for good.
pub(super) async fn sleep_or_end(until: Instant, group: Option<&PieceGroup>) {
    match group {
        // A result says only which was first.
        Some(group) => drop(timeout_at(until, group.ended()).await),
        None => sleep_until(until).await,
    }
}
