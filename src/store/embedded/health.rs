//! The availability of the embedded store, as its thread and its callers find it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::StoreError;

const RECOVERED: &str = "the embedded store can be written to again";

/// The known state of the file and of its thread.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// True if the last write failed.
    fails: AtomicBool,
    /// True if the thread did not answer in time, and has answered nothing since.
    is_stalled: AtomicBool,
}

impl Health {
    /// Returns true if writes are known to fail.
    pub(super) fn is_down(&self) -> bool {
        self.fails.load(Ordering::Relaxed) || self.is_stalled()
    }

    /// Returns true if reads are known to fail too.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }

    /// Notes that the thread did not answer: the disk stands still, or the thread has died.
    pub(super) fn record_no_answer(&self, cause: &StoreError) {
        let was_away = self.is_down();
        self.is_stalled.store(true, Ordering::Relaxed);
        if !was_away {
            tracing::error!(%cause, "the embedded store is away");
        }
    }

    /// Notes that the thread has finished its work.
    pub(super) fn record_answer(&self) {
        if self.is_stalled.swap(false, Ordering::Relaxed) && !self.is_down() {
            tracing::info!("{RECOVERED}");
        }
    }

    /// Notes the result of a write. Logs the first failure, and the first success after it.
    pub(super) fn record_write(&self, written: &Result<(), StoreError>) {
        let failed_before = self.fails.swap(written.is_err(), Ordering::Relaxed);
        match written {
            Err(cause) if !failed_before => tracing::error!(%cause, "the embedded store cannot be written to"),
            Ok(()) if failed_before && !self.is_stalled() => tracing::info!("{RECOVERED}"),
            _ => {}
        }
    }
}
