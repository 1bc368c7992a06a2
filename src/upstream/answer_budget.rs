//! The size that the answers to one request may have together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::UpstreamError;

/// The bytes that the answers to one request may have together. They count as they are read, so that many answers that
/// arrive at the same time take no more memory than one may. A clone is the same budget.
#[derive(Debug, Clone)]
pub struct AnswerBudget {
    max: usize,
    taken: Arc<AtomicUsize>,
}

impl AnswerBudget {
    /// Creates a budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// Returns the largest size of all answers together, in bytes.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Counts bytes that are kept to the end of the request.
    pub fn take(&self, bytes: usize) -> Result<(), UpstreamError> {
        let mut answer = self.begin();
        answer.take(bytes)?;
        answer.keep();
        Ok(())
    }

    /// Begins to count an answer.
    pub fn begin(&self) -> AnswerBytes {
        AnswerBytes { budget: self.clone(), taken: 0 }
    }
}

/// The bytes of one answer in an [`AnswerBudget`]. Dropping it gives them back: the answer is not used.
#[derive(Debug)]
pub struct AnswerBytes {
    budget: AnswerBudget,
    taken: usize,
}

impl AnswerBytes {
    /// Counts more bytes of the answer.
    pub fn take(&mut self, bytes: usize) -> Result<(), UpstreamError> {
        let max = self.budget.max;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= max);
        let taken = self.budget.taken.try_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map_err(|_| UpstreamError::TooLargeTogether { allowed: max })?;
        self.taken += bytes;
        Ok(())
    }

    /// Keeps the bytes counted to the end of the request.
    pub fn keep(mut self) {
        self.taken = 0;
    }
}

impl Drop for AnswerBytes {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_never_exceed_their_budget_and_unused_ones_give_back() {
        let budget = AnswerBudget::new(10);
        let (mut one, mut other) = (budget.begin(), budget.begin());
        assert!(one.take(6).is_ok());
        assert!(matches!(other.take(5), Err(UpstreamError::TooLargeTogether { allowed: 10 })));
        assert!(other.take(4).is_ok());
        drop(one);
        other.keep();
        assert!(budget.take(7).is_err() && budget.take(6).is_ok() && budget.take(1).is_err());
    }
}
