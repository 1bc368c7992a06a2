//! Writing a spool.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::SpoolError;
use super::handle::{HeldSpool, Spool};
use super::quota::{MemoryReservation, SpoolQuota};
use super::state::{BLOCK, PIECE, Shared, bytes, length_of};
use crate::fair_share::{Refused, ShareKey};

/// The number of bytes written at once while memory is plentiful.
const LARGE_BLOCK: usize = 1024 * 1024;
/// The number of bytes written at once while memory is short: every recording may have this much, however much the
/// others take.
const SMALL_BLOCK: usize = PIECE;
/// The number of bytes that stay in memory for the live reader after they are in the file.
const LIVE_READER_WINDOW: u64 = 256 * 1024;
/// The longest wait for the live reader after each block.
const LIVE_READER_WAIT: Duration = Duration::from_millis(100);
/// The lag in bytes beyond which a reader is a retry from the start, so that the writer does not wait for it.
const RETRY_LAG: u64 = 4 * 1024 * 1024;
/// The minimum size of a new piece.
const SMALL_PIECE: usize = 4 * 1024;

/// A writer for the bytes of one recording as they arrive. If it is dropped before [`SpoolWriter::finish`], its readers
/// get an error.
#[derive(Debug)]
pub struct SpoolWriter {
    quota: Arc<SpoolQuota>,
    shared: Arc<Shared>,
    /// The piece that is being filled.
    piece: BytesMut,
    /// The size of that piece: no larger than the recording, if the recording's size is known.
    size: usize,
    file: Option<Arc<File>>,
    /// The size in bytes above which a recording goes to the file.
    threshold: u64,
    /// The number of bytes appended.
    length: u64,
}

impl SpoolWriter {
    /// Creates a spool within `quota` that counts against the share of `key`. If a size is `announced`, the quota must have
    /// space for it now, and a recording that will be too large for memory goes to a file from the start. Space is
    /// taken as bytes come: an announcement takes none.
    pub fn new(quota: &Arc<SpoolQuota>, key: ShareKey, announced: Option<u64>) -> Result<Self, Refused> {
        let (memory, disk) = (MemoryReservation::empty(&quota.memory), quota.disk.try_acquire(key, 0)?);
        let mut threshold = quota.threshold;
        if let Some(announced) = announced.filter(|&announced| announced > threshold) {
            quota.disk.check(key, announced)?;
            threshold = 0;
        }
        let max = announced.unwrap_or(u64::MAX).min(quota.threshold);
        let size = usize::try_from(max).unwrap_or(PIECE).clamp(SMALL_PIECE, PIECE);
        let shared = Arc::new(Shared::new(memory, disk));
        Ok(Self { quota: Arc::clone(quota), shared, piece: BytesMut::new(), size, file: None, threshold, length: 0 })
    }

    /// Returns the number of bytes appended.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the number of appended bytes that a reader would find.
    pub fn readable(&self) -> u64 {
        self.shared.length()
    }

    /// Returns a handle to a recording of `expected` bytes that is still arriving. Its readers get all but the last
    /// byte until [`HeldSpool::release`].
    pub fn early(&self, expected: u64) -> Spool {
        self.shared.hold_from(expected.saturating_sub(1));
        Spool::arriving(&self.shared, expected)
    }

    /// Returns a handle to the bytes that have arrived, for inspection.
    pub fn so_far(&self) -> Spool {
        Spool::complete(&self.shared, self.length)
    }

    /// Appends `chunk` at the end.
    pub async fn append(&mut self, chunk: &[u8]) -> Result<(), SpoolError> {
        self.length = self.length.saturating_add(length_of(chunk));
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.piece.capacity() == 0 {
                self.piece.reserve(self.size);
            }
            let (some, after) = rest.split_at(rest.len().min(self.size - self.piece.len()));
            self.piece.extend_from_slice(some);
            rest = after;
            if self.piece.len() == self.size {
                self.gather();
                if !self.fits_in_memory() {
                    self.write_out().await?;
                }
            }
        }
        if self.file.is_some() {
            // The growth also covers bytes that wait to be written, so that the write is not refused.
            self.shared.lock().disk.grow_to(self.length)?;
        }
        Ok(())
    }

    /// Ends the recording. Bytes that are not in the file by then stay in memory.
    pub fn finish(mut self) -> HeldSpool {
        self.gather();
        if self.file.is_some() {
            let mut state = self.shared.lock();
            let left = state.unwritten().max(bytes(BLOCK));
            state.memory.shrink_to(left);
        }
        self.shared.finish();
        HeldSpool::new(self.so_far())
    }

    fn gather(&mut self) {
        if !self.piece.is_empty() {
            self.shared.append(std::mem::take(&mut self.piece).freeze());
        }
    }

    /// Returns true if the bytes in memory may stay there until more have come.
    fn fits_in_memory(&self) -> bool {
        let mut state = self.shared.lock();
        let unwritten = state.unwritten();
        if !state.has_file() {
            // Memory is taken by the block, so that the quota is asked rarely.
            let rounded = unwritten.next_multiple_of(bytes(SMALL_BLOCK)).min(self.threshold.max(unwritten));
            let fits = unwritten <= bytes(SMALL_BLOCK) || state.memory.grow_to(rounded).is_ok();
            return fits && state.length() <= self.threshold;
        }
        let fits = |block: &u64| state.memory.grow_to(block + LIVE_READER_WINDOW).is_ok();
        let limit = [bytes(LARGE_BLOCK), bytes(BLOCK)].into_iter().find(fits).unwrap_or(bytes(SMALL_BLOCK));
        unwritten < limit
    }

    /// Moves the bytes in memory to the end of the file.
    async fn write_out(&mut self) -> Result<(), SpoolError> {
        {
            let mut state = self.shared.lock();
            let length = state.length();
            state.disk.grow_to(length)?;
        }
        let pieces = self.shared.pending();
        let count = pieces.iter().map(|piece| length_of(piece)).sum();
        let (file, quota) = (self.file.take(), Arc::clone(&self.quota));
        let written = spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(&quota.directory)?),
            };
            write_all(&file, &pieces)?;
            Ok::<_, io::Error>(file)
        });
        let file = written.await.map_err(io::Error::other)??;
        self.file = Some(Arc::clone(&file));
        // If memory is short, no written bytes stay in it.
        let keep =
            self.shared.lock().memory.grow_to(bytes(BLOCK) + LIVE_READER_WINDOW).map_or(0, |()| LIVE_READER_WINDOW);
        self.shared.wrote(file, count, keep);
        // Waiting for the live reader slows the upload a little, but saves reading back from the file: the bytes must
        // go out in any case.
        let _ = timeout(LIVE_READER_WAIT, self.shared.wait_for_live_reader(keep, RETRY_LAG)).await;
        Ok(())
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

fn write_all(mut file: &File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut left, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
