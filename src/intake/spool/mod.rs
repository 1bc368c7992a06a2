//! The spool: one recording that is appended to, and read from its start by any number of readers that wait for its tail.
//!
//! It stays in memory while it is small and while all recordings together leave room for that; beyond that it goes to a
//! private file. The file has no name from the moment it is made, so the system deletes it when the last handle goes,
//! whatever happens to the process. What was appended last is in memory until it is written, so a reader that keeps pace
//! never reads the file.
//!
//! - [`SpoolQuota`]: how much memory and disk all recordings may take
//! - [`SpoolWriter`]: takes bytes as they arrive
//! - [`Spool`]: a handle to read by, as often as a retry needs
//! - `state`: what the two share

mod reader;
mod quota;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::Stream;

pub use reader::SpoolSource;
pub use quota::SpoolQuota;
use state::Shared;
pub use writer::{SpoolError, SpoolWriter};

/// A recording to be read: whole, or still arriving. Cloning it makes another handle to the same bytes.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    length: u64,
    /// It was handed out before it was whole.
    early: bool,
}

impl Spool {
    /// Its size in bytes; while it is arriving, what it is expected to have.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its bytes from the start, each time that this is called. A reader waits for what has not arrived, and fails where
    /// the recording is given up or turns out to have another length.
    pub fn chunks(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        reader::chunks(Arc::clone(&self.shared), self.length, self.early)
    }

    /// What is there by now, for code that reads and seeks, which may block.
    pub fn source(&self) -> SpoolSource {
        SpoolSource::new(Arc::clone(&self.shared), None)
    }

    /// The same, which can be read until `cancelled` is set.
    pub(super) fn source_until(&self, cancelled: &Arc<AtomicBool>) -> SpoolSource {
        SpoolSource::new(Arc::clone(&self.shared), Some(Arc::clone(cancelled)))
    }

    /// Lets readers have the last byte, which [`SpoolWriter::early`] holds back.
    pub fn release(&self) {
        self.shared.release();
    }

    /// Whether more of it has yet to come.
    pub fn is_arriving(&self) -> bool {
        self.shared.is_open()
    }

    /// Whether all of it is in memory, so that reading it does not block.
    pub fn is_in_memory(&self) -> bool {
        self.shared.is_in_memory()
    }
}
