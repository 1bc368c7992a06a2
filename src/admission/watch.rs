//! Looks after the store, and forgets what need not be known any more.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::known_revocations::KnownRevocations;
use crate::limits::budget_cache::BudgetCache;
use crate::limits::clock::Clock;
use crate::limits::rates::Rates;
use crate::store::Store;

/// How often the store is looked after, and asked what was revoked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many times that is until callers who have been idle are forgotten.
const TURNS_UNTIL_TIDY: u32 = 60;

/// Looks after what limits are kept in.
pub(super) struct Watch {
    pub(super) store: Arc<Store>,
    pub(super) rates: Arc<Rates>,
    pub(super) heard: Arc<BudgetCache>,
    pub(super) revocations: Arc<KnownRevocations>,
    pub(super) clock: Clock,
}

impl Watch {
    /// Until it is aborted.
    pub(super) async fn run(self) {
        for turn in (0..TURNS_UNTIL_TIDY).cycle() {
            if let Err(failure) = self.store.follow_revocations(&self.revocations).await {
                tracing::debug!(%failure, "the store did not say what was revoked lately");
            }
            self.store.look_after().await;
            if turn == 0 {
                self.rates.forget_idle();
                self.heard.forget_idle();
                self.revocations.forget_ended(self.clock.now());
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
