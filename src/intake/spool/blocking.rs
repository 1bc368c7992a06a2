//! Writing a spool on a thread that may block, where its first bytes are known last.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::error::SpoolError;
use super::handle::Spool;
use super::quota::{MemoryReservation, SpoolQuota};
use super::room::SpoolRoom;
use super::state::{PIECE, Shared, bytes, length_of};
use crate::fair_share::Reservation;

/// The number of bytes written at once while memory is plentiful, and the size above which a recording goes to a file.
const LARGE_BUFFER: usize = 128 * 1024;
/// The number of bytes written at once while memory is short: every recording may have this much, however much the
/// others take.
const SMALL_BUFFER: usize = PIECE;

/// A writer for the bytes of one recording that this process makes, for threads that may block. If it is dropped before
/// [`BlockingWriter::finish`], nothing of the recording remains.
#[derive(Debug)]
pub struct BlockingWriter {
    quota: Arc<SpoolQuota>,
    memory: MemoryReservation,
    disk: Reservation,
    file: Option<File>,
    /// The number of bytes in the file.
    written: u64,
    /// The bytes after those in the file.
    buffer: Vec<u8>,
    /// The size at which the buffer is written to the file.
    max_buffer: usize,
    /// True if the buffer never grows beyond the smallest.
    is_small: bool,
}

impl BlockingWriter {
    /// Creates a spool that takes its bytes from `room`. Its first `head` bytes are those that
    /// [`BlockingWriter::finish`] gets.
    pub fn new(room: &SpoolRoom, head: usize) -> Self {
        let (quota, disk) = (Arc::clone(room.quota()), room.reservation());
        let (memory, max_buffer) = (room.memory(), room.buffer().map_or(SMALL_BUFFER, |size| size.max(SMALL_BUFFER)));
        Self { quota, memory, disk, file: None, written: 0, buffer: vec![0; head], max_buffer, is_small: false }
    }

    /// Keeps no more than the smallest buffer in memory, however much there is.
    #[must_use]
    pub fn small(self) -> Self {
        Self { is_small: true, ..self }
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Appends `chunk` at the end.
    pub fn append(&mut self, chunk: &[u8]) -> Result<(), SpoolError> {
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.buffer.len() >= self.max_buffer {
                self.make_room()?;
            }
            let (some, after) = rest.split_at(rest.len().min(self.max_buffer.saturating_sub(self.buffer.len())));
            self.reserve(some.len());
            self.buffer.extend_from_slice(some);
            rest = after;
        }
        Ok(())
    }

    /// Ends the recording, whose first bytes are `head`.
    pub fn finish(mut self, head: &[u8]) -> Result<Spool, SpoolError> {
        if self.file.is_some() || self.memory.grow_to(length_of(&self.buffer)).is_err() {
            self.write_out()?;
        }
        let length = self.written.saturating_add(length_of(&self.buffer));
        let shared = if let Some(file) = self.file {
            file.write_all_at(head, 0)?;
            self.memory.shrink_to(0);
            Shared::in_file(file, length, self.memory, self.disk)
        } else {
            self.buffer.iter_mut().zip(head).for_each(|(byte, of_head)| *byte = *of_head);
            self.buffer.shrink_to_fit();
            self.memory.shrink_to(length);
            let shared = Shared::new(self.memory, self.disk);
            shared.append(self.buffer.into());
            shared.finish();
            shared
        };
        Ok(Spool::complete(&Arc::new(shared), length))
    }

    /// Makes room in the buffer for `count` more bytes, twice as much as before where it must grow, but no more than it may
    /// hold.
    fn reserve(&mut self, count: usize) {
        let needed = self.buffer.len().saturating_add(count);
        if self.buffer.capacity() < needed {
            let capacity = needed.max(self.buffer.capacity().saturating_mul(2).min(self.max_buffer));
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
    }

    /// Makes the full buffer larger, or empties it into the file.
    fn make_room(&mut self) -> Result<(), SpoolError> {
        let threshold = usize::try_from(self.quota.threshold).unwrap_or(usize::MAX);
        let may_grow = !self.is_small && self.max_buffer < LARGE_BUFFER;
        let grows = may_grow && (self.file.is_some() || threshold >= LARGE_BUFFER);
        if grows && self.memory.grow_to(bytes(LARGE_BUFFER)).is_ok() {
            self.max_buffer = LARGE_BUFFER;
            return Ok(());
        }
        self.write_out()
    }

    fn write_out(&mut self) -> Result<(), SpoolError> {
        let length = self.written.saturating_add(length_of(&self.buffer));
        self.disk.grow_to(length)?;
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.quota.directory)?,
        };
        let written = file.write_all_at(&self.buffer, self.written);
        self.file = Some(file);
        written?;
        self.buffer.clear();
        self.written = length;
        Ok(())
    }
}
