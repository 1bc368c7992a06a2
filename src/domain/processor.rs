//! Processor time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Returns the processor time that this thread has used, or zero if the clock cannot be read. The time of other threads
/// does not count, so a limit on it means the same on a busy machine as on an idle one.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
