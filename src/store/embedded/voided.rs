//! Permits that were taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::PermitId;

/// The time for which a permit is remembered. Only this process asks this store, and it gives a request up after
/// seconds.
const REMEMBER: Duration = Duration::from_mins(10);

/// The ids of permits that were taken back; a request for one of them that comes late must not be admitted.
#[derive(Debug, Default)]
pub(super) struct VoidedPermits(BTreeMap<PermitId, Duration>);

impl VoidedPermits {
    pub(super) fn contains(&self, id: PermitId) -> bool {
        self.0.contains_key(&id)
    }

    /// Adds a permit at `now` by the steady clock.
    pub(super) fn add(&mut self, id: PermitId, now: Duration) {
        self.0.insert(id, now);
    }

    /// Forgets the permits that no late request can name any more.
    pub(super) fn forget_old(&mut self, now: Duration) {
        let before = now.saturating_sub(REMEMBER);
        self.0.retain(|_, added| *added >= before);
    }
}
