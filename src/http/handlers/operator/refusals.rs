//! The log of requests with a wrong token of the operator: an auditor sees that somebody guesses, and a flood of guesses does
//! not fill the log.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::domain::terms::AUDIT;

/// The most lines at once, and in each minute after that.
const MAX_LINES_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

static REFUSALS: LazyLock<Refusals<DefaultClock>> = LazyLock::new(|| Refusals::new(DefaultClock::default()));

/// Logs a refusal of a request from `peer`, unless there were too many lately.
pub(super) fn log(peer: Option<IpAddr>) {
    if let Some(unlogged) = REFUSALS.count() {
        tracing::warn!(target: AUDIT, peer = peer.map(tracing::field::display), unlogged, "a wrong token of the operator was refused");
    }
}

/// The refusals so far.
struct Refusals<C: Clock> {
    lines: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    /// The refusals since the last line, which have no line.
    unlogged: AtomicU64,
}

impl<C: Clock> Refusals<C> {
    fn new(clock: C) -> Self {
        let quota = Quota::per_minute(MAX_LINES_PER_MINUTE);
        Self { lines: RateLimiter::direct_with_clock(quota, clock), unlogged: AtomicU64::new(0) }
    }

    /// Counts a refusal. Returns the number of earlier ones without a line if this one gets a line.
    fn count(&self) -> Option<u64> {
        if self.lines.check().is_ok() {
            return Some(self.unlogged.swap(0, Ordering::Relaxed));
        }
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_flood_of_refusals_gets_ten_lines_a_minute() {
        let clock = FakeRelativeClock::default();
        let refusals = Refusals::new(clock.clone());
        let logged: Vec<_> = (0..500).filter_map(|_| refusals.count()).collect();
        assert_eq!(logged, [0; 10]);
        clock.advance(Duration::from_secs(6));
        assert_eq!((refusals.count(), refusals.count()), (Some(490), None));
    }
}
