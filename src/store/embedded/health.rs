//! Whether the embedded store is there, as its thread and those who ask it find.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::StoreError;

const BACK: &str = "the embedded store can be written to again";

/// What is known of the file and of its thread.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// The last write failed.
    fails: AtomicBool,
    /// The thread did not answer in time, and has answered nothing since.
    is_stalled: AtomicBool,
}

impl Health {
    /// Whether nothing can be written, as far as it is known.
    pub(super) fn is_away(&self) -> bool {
        self.fails.load(Ordering::Relaxed) || self.is_stalled()
    }

    /// Whether nothing can be read either.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }

    /// The thread did not answer: the disk stands still, or the thread has died.
    pub(super) fn did_not_answer(&self, cause: &StoreError) {
        let was_away = self.is_away();
        self.is_stalled.store(true, Ordering::Relaxed);
        if !was_away {
            tracing::error!(%cause, "the embedded store is away");
        }
    }

    /// The thread has done what it had to do.
    pub(super) fn answers(&self) {
        if self.is_stalled.swap(false, Ordering::Relaxed) && !self.is_away() {
            tracing::info!("{BACK}");
        }
    }

    /// Something was written, or could not be. It is said once that it cannot be, and once that it can be again.
    pub(super) fn wrote(&self, written: &Result<(), StoreError>) {
        let failed_before = self.fails.swap(written.is_err(), Ordering::Relaxed);
        match written {
            Err(cause) if !failed_before => tracing::error!(%cause, "the embedded store cannot be written to"),
            Ok(()) if failed_before && !self.is_stalled() => tracing::info!("{BACK}"),
            _ => {}
        }
    }
}
