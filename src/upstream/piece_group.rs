//! The pieces of one recording, as far as they concern one another on their way to providers.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

/// The pieces of one recording. A clone is the same group.
#[derive(Debug, Clone)]
pub struct PieceGroup {
    state: Arc<watch::Sender<GroupState>>,
    is_only_one: bool,
}

#[derive(Debug, Default)]
struct GroupState {
    /// True once a provider has answered for a piece.
    is_answered: bool,
    /// True once a piece has failed for good: no attempt begins any more.
    has_ended: bool,
    /// The number of pieces that are at a provider.
    at_providers: usize,
}

/// A piece at a provider, until it is dropped.
#[derive(Debug)]
pub(super) struct PieceAtProvider(PieceGroup);

impl PieceGroup {
    /// Creates a group of pieces that wait for one another's sake.
    pub fn of_many() -> Self {
        Self::new(false)
    }

    /// Creates the group of a recording that is one piece. It waits no longer than a recording that goes as it is.
    pub fn of_one() -> Self {
        Self::new(true)
    }

    fn new(is_only_one: bool) -> Self {
        Self { state: Arc::new(watch::Sender::new(GroupState::default())), is_only_one }
    }

    /// Records that a piece has failed for good: no other attempt begins, and waits for one end.
    pub fn end(&self) {
        self.state.send_modify(|state| state.has_ended = true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.borrow().has_ended
    }

    /// Waits until a piece has failed for good.
    pub(super) async fn ended(&self) {
        self.wait_for(|state| state.has_ended).await;
    }

    /// Waits until it is known whether a provider answers for one of the pieces that are at providers.
    pub(super) async fn settled(&self) {
        self.wait_for(|state| state.has_ended || state.is_answered || state.at_providers == 0).await;
    }

    async fn wait_for(&self, reached: impl FnMut(&GroupState) -> bool) {
        if self.state.subscribe().wait_for(reached).await.is_err() {
            // The state lives as long as this value.
            pending::<()>().await;
        }
    }

    pub(super) fn is_only_one(&self) -> bool {
        self.is_only_one
    }

    /// Records that a provider has answered for a piece.
    pub(super) fn record_answer(&self) {
        self.state.send_modify(|state| state.is_answered = true);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.state.borrow().is_answered
    }

    /// Returns true if a piece is at a provider, whose answer nobody knows yet.
    pub(super) fn is_at_provider(&self) -> bool {
        self.state.borrow().at_providers > 0
    }

    /// Records that a piece goes to a provider.
    pub(super) fn begin_attempt(&self) -> PieceAtProvider {
        self.state.send_modify(|state| state.at_providers = state.at_providers.saturating_add(1));
        PieceAtProvider(self.clone())
    }
}

impl Drop for PieceAtProvider {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.at_providers = state.at_providers.saturating_sub(1));
    }
}
