//! The model entries that can do a job.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::piece_plan::PiecePlan;
use super::way::Way;
use crate::config::Model;

/// The model entries that can do one job.
#[derive(Debug, Clone)]
pub struct TargetChain {
    /// The requested model entry, which always has a share of the first attempts.
    pub requested: Arc<Model>,
    /// The fallbacks for it.
    pub fallbacks: Vec<Target>,
    /// The way of the recording to all of them.
    pub way: Way,
    /// The plan for the pieces, unless the recording goes as it is.
    pub pieces: Option<PiecePlan>,
}

/// A fallback model entry.
#[derive(Debug, Clone)]
pub struct Target {
    /// The model entry.
    pub model: Arc<Model>,
    /// The share of the first attempts; `None` if it serves only when the entries with a share are unavailable.
    pub weight: Option<NonZeroU32>,
}

impl TargetChain {
    /// Returns all of the model entries.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        std::iter::once(&self.requested).chain(self.fallbacks.iter().map(|route| &route.model))
    }

    /// Returns true if both chains have the same model entries, by name, and the recording goes to them by the same way.
    pub fn are(&self, others: &Self) -> bool {
        (self.way, self.pieces) == (others.way, others.pieces)
            && self.models().map(|model| &model.name).eq(others.models().map(|model| &model.name))
    }

    /// Returns each entry's share of the first attempts.
    pub(crate) fn weights(&self) -> impl Iterator<Item = Option<NonZeroU32>> {
        std::iter::once(Some(self.requested.weight)).chain(self.fallbacks.iter().map(|route| route.weight))
    }
}
