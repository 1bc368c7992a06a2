//! How much processor time a recording may cost to measure.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What any recording may take, however small.
const BASE: Duration = Duration::from_millis(50);
/// What each MiB of it may take: five times what AAC, the dearest of what people record, takes (9 ms a MiB, release build).
const PER_MIB: Duration = Duration::from_millis(50);
/// How many units of work go between two looks at the clock.
const WORK_PER_LOOK: u64 = 64 * 1024;

/// The processor time that this thread may still spend on one recording. Time that other threads take does not count, so a
/// recording costs its caller the same on a busy machine as on an idle one.
pub(super) struct Budget {
    ends_at: Duration,
    work: u64,
    spent: bool,
}

impl Budget {
    pub(super) fn for_bytes(bytes: u64) -> Self {
        let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let allowed = BASE.saturating_add(PER_MIB.saturating_mul(mib.saturating_add(1)));
        Self { ends_at: thread_time().saturating_add(allowed), work: 0, spent: false }
    }

    /// Notes `work`, roughly in bytes looked at; `false` if no more may be done.
    pub(super) fn spend(&mut self, work: u64) -> bool {
        self.work = self.work.saturating_add(work).saturating_add(256);
        if self.work >= WORK_PER_LOOK && !self.spent {
            self.work = 0;
            self.spent = thread_time() > self.ends_at;
        }
        !self.spent
    }
}

/// The processor time that this thread has used. A clock that cannot be read is said to stand still.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
