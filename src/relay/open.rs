//! The count of open streams.

use std::sync::atomic::{AtomicUsize, Ordering};

static STREAMS: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of streams that go to clients at the moment.
pub fn streams_open() -> usize {
    STREAMS.load(Ordering::Relaxed)
}

/// A guard that counts one open stream until it is dropped.
pub(super) struct OpenStream(());

impl OpenStream {
    pub(super) fn count() -> Self {
        STREAMS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        STREAMS.fetch_sub(1, Ordering::Relaxed);
    }
}
