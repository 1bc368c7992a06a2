//! The spool: one recording that a writer appends to, and that any number of readers read from its start while they
//! wait for its end.
//!
//! A recording stays in memory while it is small and the memory quota has space for it; beyond that it goes to a
//! private file. The file is created without a name, so the system deletes it when the last handle closes, even if the
//! process crashes. The most recent bytes are in memory until they are written, so a reader that keeps pace never reads
//! the file.
//!
//! - [`SpoolQuota`]: the memory and disk that all recordings may take
//! - [`SpoolWriter`]: takes bytes as they arrive
//! - [`Spool`]: a handle for reading, as often as a retry needs
//! - `state`: the state that writer and readers share

mod probe;
mod quota;
mod reader;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::Stream;

pub use probe::{SpoolDirectoryError, probe_directory};
pub use quota::SpoolQuota;
pub use reader::SpoolSource;
use state::Shared;
pub use writer::{SpoolError, SpoolWriter};

/// A recording to be read, complete or still arriving. A clone is another handle to the same bytes.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    length: u64,
    /// True if the handle was created before the recording was complete.
    early: bool,
}

impl Spool {
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

    /// Returns the bytes that have arrived, like [`Spool::source`]; reads fail once `cancelled` is set.
    pub(super) fn source_until(&self, cancelled: &Arc<AtomicBool>) -> SpoolSource {
        SpoolSource::new(Arc::clone(&self.shared), Some(Arc::clone(cancelled)))
    }

    /// Lets readers have the last byte, which [`SpoolWriter::early`] holds back.
    pub fn release(&self) {
        self.shared.release();
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
