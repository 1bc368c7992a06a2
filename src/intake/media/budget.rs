//! The limit on the processor time for measuring one recording.

use std::time::Duration;

use crate::domain::thread_time;

/// The processor time allowed for any recording, however small.
const BASE: Duration = Duration::from_millis(50);
/// The additional processor time per MiB: five times the cost of AAC, the most expensive common format (9 ms per MiB,
/// release build).
const PER_MIB: Duration = Duration::from_millis(50);
/// The units of work between two reads of the clock.
const WORK_PER_LOOK: u64 = 64 * 1024;

/// The processor time that this thread may still spend on one recording. The time of other threads does not count, so the
/// limit means the same on a busy machine as on an idle one.
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

    /// Records `work`, roughly the number of bytes examined. Returns `false` if the budget is spent.
    pub(super) fn spend(&mut self, work: u64) -> bool {
        self.work = self.work.saturating_add(work).saturating_add(256);
        if self.work >= WORK_PER_LOOK && !self.spent {
            self.work = 0;
            self.spent = thread_time() > self.ends_at;
        }
        !self.spent
    }
}
