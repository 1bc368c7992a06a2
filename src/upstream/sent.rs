//! Whether the provider has the whole recording.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the last byte of the recording is handed over to the connection. From then on the provider may do the work,
/// whoever still waits for it.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
