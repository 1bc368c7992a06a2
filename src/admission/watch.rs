//! Periodic maintenance of the store, and of the state of this process.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::BudgetCache;
use crate::limits::rates::Rates;
use crate::sessions::Revocations;
use crate::store::Store;

/// The interval between checks of the store and reads of new revocations.
const INTERVAL: Duration = Duration::from_secs(1);
/// The number of intervals until idle callers are forgotten.
const TURNS_UNTIL_CLEANUP: u32 = 60;

/// The maintenance task and the state that it maintains.
pub(super) struct Watch {
    pub(super) store: Arc<Store>,
    pub(super) rates: Arc<Rates>,
    pub(super) budgets: Arc<BudgetCache>,
    pub(super) revocations: Arc<Revocations>,
}

impl Watch {
    /// Runs until the task is aborted.
    pub(super) async fn run(self) {
        for turn in (0..TURNS_UNTIL_CLEANUP).cycle() {
            if let Err(failure) = self.revocations.follow().await {
                tracing::debug!(%failure, "the store did not say what was revoked lately");
            }
            self.store.maintain().await;
            if turn == 0 {
                self.rates.forget_idle();
                self.budgets.forget_idle();
                self.revocations.forget_ended();
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
