//! The handles for reading a spool: [`Spool`], and [`HeldSpool`] for a recording that nobody has released yet.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::Stream;

use super::reader::{self, SpoolSource};
use super::state::Shared;

/// A recording to be read, complete or still arriving. A clone is another handle to the same bytes.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    length: u64,
    /// True if the handle was created before the recording was complete.
    early: bool,
}

impl Spool {
    /// Creates a handle to the `length` bytes that have arrived.
    pub(super) fn complete(shared: &Arc<Shared>, length: u64) -> Self {
        Self { shared: Arc::clone(shared), length, early: false }
    }

    /// Creates a handle to a recording that is still arriving and will have `expected` bytes.
    pub(super) fn arriving(shared: &Arc<Shared>, expected: u64) -> Self {
        Self { shared: Arc::clone(shared), length: expected, early: true }
    }

    /// Returns the size in bytes; while the recording is arriving, the expected size.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the bytes from the start, on each call. A reader waits for bytes that have not arrived, and fails if the
    /// recording is abandoned or turns out to have another length.
    pub fn chunks(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        reader::chunks(Arc::clone(&self.shared), self.length, self.early)
    }

    /// Returns the bytes that have arrived, for code that reads and seeks, which may block.
    pub fn source(&self) -> SpoolSource {
        SpoolSource::new(Arc::clone(&self.shared), None)
    }

    /// Returns the bytes for decoding, which may begin before the last has arrived. A read of bytes that have not arrived
    /// fails with [`io::ErrorKind::WouldBlock`], and can be repeated. Reads fail once `cancelled` is set.
    pub fn source_arriving(&self, cancelled: &Arc<AtomicBool>) -> SpoolSource {
        SpoolSource::new(Arc::clone(&self.shared), Some(Arc::clone(cancelled))).expecting(self.length)
    }

    /// Returns the bytes that have arrived, like [`Spool::source`]; reads fail once `cancelled` is set.
    pub(in crate::intake) fn source_until(&self, cancelled: &Arc<AtomicBool>) -> SpoolSource {
        SpoolSource::new(Arc::clone(&self.shared), Some(Arc::clone(cancelled)))
    }

    /// Waits until readers may have more than `length` bytes, or nothing more will change.
    pub async fn wait_beyond(&self, length: u64) {
        loop {
            // The future is created before the look, so that no later change is missed.
            let changed = self.shared.change();
            if self.shared.readable() > length || self.shared.is_settled() {
                return;
            }
            changed.await;
        }
    }

    /// Returns the number of bytes that readers may have.
    pub fn readable(&self) -> u64 {
        self.shared.readable()
    }

    /// Returns true if more bytes may come.
    pub fn is_arriving(&self) -> bool {
        self.shared.is_open()
    }

    /// Returns true if the whole recording is in memory, so that reading does not block.
    pub fn is_in_memory(&self) -> bool {
        self.shared.is_in_memory()
    }
}

/// A complete recording of which early readers have all but the last byte. They get it when the recording is released;
/// only a released recording can be forwarded.
#[derive(Debug)]
pub struct HeldSpool(Spool);

impl HeldSpool {
    pub(super) fn new(spool: Spool) -> Self {
        Self(spool)
    }

    /// Lets readers have the last byte.
    pub fn release(self) -> Spool {
        self.0.shared.release();
        self.0
    }

    /// Returns the bytes for measuring, which reads them from [`Spool::source`], where nothing is held back.
    pub(in crate::intake) fn to_measure(&self) -> &Spool {
        &self.0
    }
}
