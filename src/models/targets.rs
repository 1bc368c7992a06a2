//! The rows of the table of models by which a job can be done.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::config::Model;

/// The rows of the table of models that can do a job.
#[derive(Debug, Clone)]
pub struct TargetChain {
    /// The row that was asked for, which has a share of the first tries.
    pub asked_for: Arc<Model>,
    /// Those that stand in for it.
    pub fallbacks: Vec<Target>,
}

/// A row that stands in for another.
#[derive(Debug, Clone)]
pub struct Target {
    /// The row.
    pub model: Arc<Model>,
    /// Its share of the first tries; `None`: it is asked when those that have one cannot be.
    pub weight: Option<NonZeroU32>,
}

impl TargetChain {
    /// All of the rows.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        std::iter::once(&self.asked_for).chain(self.fallbacks.iter().map(|route| &route.model))
    }

    /// Whether these are the same rows, by their names.
    pub fn are(&self, others: &Self) -> bool {
        self.models().map(|model| &model.name).eq(others.models().map(|model| &model.name))
    }

    /// The share of the first tries that each of them has.
    pub(crate) fn weights(&self) -> impl Iterator<Item = Option<NonZeroU32>> {
        std::iter::once(Some(self.asked_for.weight)).chain(self.fallbacks.iter().map(|route| route.weight))
    }
}
