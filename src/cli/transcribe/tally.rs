//! The numbers of recordings that were transcribed, were there, and failed.

use std::cell::Cell;

/// The counts of a run. They can be read while it goes on, and after it was stopped.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: Cell<usize>,
    pub(super) skipped: Cell<usize>,
    pub(super) failed: Cell<usize>,
}

/// Counts one more.
pub(super) fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

impl Tally {
    /// Describes the counts, for a run with `all` recordings.
    pub(super) fn describe(&self, all: usize) -> String {
        let (done, skipped, failed) = (self.done.get(), self.skipped.get(), self.failed.get());
        let mut parts = vec![format!("{done} of {all} recordings transcribed")];
        if skipped > 0 {
            parts.push(format!("{skipped} skipped (their transcripts were there)"));
        }
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        let left = all.saturating_sub(done + skipped + failed);
        if left > 0 {
            parts.push(format!("{left} left"));
        }
        parts.join(", ")
    }
}
