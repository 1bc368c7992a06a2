//! Sequential access to the tables in a source.

use std::io::{self, Read, Seek};

use super::read_buffer::ReadBuffer;
use super::track_tables::Table;

/// The number of bytes of a table read at once.
const TABLE_AHEAD: usize = 8 * 1024;

/// A reader of a table with entries of `N` bytes.
#[derive(Debug)]
pub(super) struct Cursor<const N: usize> {
    buffer: ReadBuffer,
    at: u64,
    left: u64,
}

impl<const N: usize> Cursor<N> {
    pub(super) fn new(table: Table) -> Self {
        Self { buffer: ReadBuffer::new(TABLE_AHEAD), at: table.at, left: table.count }
    }

    /// Returns the next entry, or `None` at the end of the table or of the source.
    pub(super) fn next<S: Read + Seek>(&mut self, source: &mut S) -> io::Result<Option<[u8; N]>> {
        if self.left == 0 {
            return Ok(None);
        }
        let entry = self.buffer.exactly(source, self.at)?;
        self.left = if entry.is_some() { self.left - 1 } else { 0 };
        self.at = self.at.saturating_add(u64::try_from(N).unwrap_or(u64::MAX));
        Ok(entry)
    }
}
