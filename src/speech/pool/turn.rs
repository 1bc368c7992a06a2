//! A turn: the time for which a thread works on one recording.

use std::time::{Duration, Instant};

/// The time after which work is to end its turn. What it does between two looks at the clock takes 10 ms at most, so a turn
/// takes 50 ms at most.
const TURN: Duration = Duration::from_millis(40);

/// The time that work has.
#[derive(Debug)]
pub(in crate::speech) struct Turn {
    ends_at: Instant,
}

impl Turn {
    pub(super) fn begin() -> Self {
        Self { ends_at: Instant::now() + TURN }
    }

    /// Makes a turn that is over as soon as the work looks at the clock.
    #[cfg(test)]
    pub(in crate::speech) fn over() -> Self {
        Self { ends_at: Instant::now() }
    }

    /// Returns true if the work is to stop, and to go on at its next turn.
    pub(in crate::speech) fn is_over(&self) -> bool {
        Instant::now() >= self.ends_at
    }
}
