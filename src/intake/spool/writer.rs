//! Writing a spool.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Spool;
use super::quota::{Share, SpoolQuota};
use super::state::{Shared, length_of};
use crate::fair_share::{Refused, ShareKey};

/// What is read from the file at once, and written to it as a rule.
pub(super) const BLOCK: usize = 256 * 1024;
/// What is written at once where there is memory in plenty.
const LARGE_BLOCK: usize = 1024 * 1024;
/// The same where memory is short: what every recording may have, whatever the others take.
const SMALL_BLOCK: usize = PIECE;
/// What is kept in memory of what is in the file, for who reads it while it arrives.
const KEPT: u64 = 256 * 1024;
/// How long it is waited for them after each block, and from where on it is not.
const PATIENCE: Duration = Duration::from_millis(100);
const FAR: u64 = 4 * 1024 * 1024;
/// What arrives is copied into pieces of this size. To keep it as it came would pin the buffers that it was read into, so
/// that each read needs a new one.
pub(super) const PIECE: usize = 32 * 1024;
/// The least that a piece is made for.
const SMALL_PIECE: usize = 4 * 1024;

/// Why nothing could be appended.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// There is no room for more of this caller's recordings.
    #[error("there is no room for another recording")]
    NoRoom(Refused),
    /// The file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Refused> for SpoolError {
    fn from(refused: Refused) -> Self {
        Self::NoRoom(refused)
    }
}

/// Takes the bytes of one recording as they arrive. Dropped before [`SpoolWriter::finish`], it leaves its readers with an
/// error.
#[derive(Debug)]
pub struct SpoolWriter {
    room: Arc<SpoolQuota>,
    shared: Arc<Shared>,
    /// The piece that is being filled.
    piece: BytesMut,
    /// How large that one is: no larger than the recording, where that is known.
    size: usize,
    file: Option<Arc<File>>,
    /// A recording that is larger goes to the file.
    threshold: u64,
    /// What was appended.
    length: u64,
}

impl SpoolWriter {
    /// A spool in `room`, which counts as that of `key`. Where a size is `announced`, there must be room for it now, and a
    /// recording that will be too large for memory goes to a file from the start. Room is taken as bytes come: to announce
    /// a size takes none.
    pub fn new(room: &Arc<SpoolQuota>, key: ShareKey, announced: Option<u64>) -> Result<Self, Refused> {
        let (memory, disk) = (Share::of(&room.memory), room.disk.try_acquire(key, 0)?);
        let mut threshold = room.threshold;
        if let Some(announced) = announced.filter(|&announced| announced > threshold) {
            room.disk.check(key, announced)?;
            threshold = 0;
        }
        let most = announced.unwrap_or(u64::MAX).min(room.threshold);
        let size = usize::try_from(most).unwrap_or(PIECE).clamp(SMALL_PIECE, PIECE);
        let shared = Arc::new(Shared::new(memory, disk));
        Ok(Self { room: Arc::clone(room), shared, piece: BytesMut::new(), size, file: None, threshold, length: 0 })
    }

    /// How many bytes were appended.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many of them a reader would find.
    pub fn shown(&self) -> u64 {
        self.shared.length()
    }

    /// A handle to a recording of `expected` bytes that has yet to arrive. Its readers get all but the last byte until
    /// [`Spool::release`].
    pub fn early(&self, expected: u64) -> Spool {
        self.shared.hold_from(expected.saturating_sub(1));
        Spool { shared: Arc::clone(&self.shared), length: expected, early: true }
    }

    /// What is there by now, for a look at it.
    pub fn so_far(&self) -> Spool {
        Spool { shared: Arc::clone(&self.shared), length: self.length, early: false }
    }

    /// Adds `chunk` at the end.
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
            // Also for bytes that wait to be written, so that the writing is not refused.
            self.shared.lock().disk.grow_to(self.length)?;
        }
        Ok(())
    }

    /// Ends the recording. What is not in the file by then stays in memory.
    pub fn finish(mut self) -> Spool {
        self.gather();
        if self.file.is_some() {
            let mut state = self.shared.lock();
            let left = state.unwritten().max(bytes(BLOCK));
            state.memory.shrink_to(left);
        }
        self.shared.finish();
        self.so_far()
    }

    fn gather(&mut self) {
        if !self.piece.is_empty() {
            self.shared.append(std::mem::take(&mut self.piece).freeze());
        }
    }

    /// Whether what is in memory may stay there until more has come.
    fn fits_in_memory(&self) -> bool {
        let mut state = self.shared.lock();
        let unwritten = state.unwritten();
        if !state.has_file() {
            // By the block, so that the room is asked for seldom.
            let rounded = unwritten.next_multiple_of(bytes(SMALL_BLOCK)).min(self.threshold.max(unwritten));
            let has_room = unwritten <= bytes(SMALL_BLOCK) || state.memory.grow_to(rounded).is_ok();
            return has_room && state.length() <= self.threshold;
        }
        let may_have = |block: &u64| state.memory.grow_to(block + KEPT).is_ok();
        let limit = [bytes(LARGE_BLOCK), bytes(BLOCK)].into_iter().find(may_have).unwrap_or(bytes(SMALL_BLOCK));
        unwritten < limit
    }

    /// Moves what is in memory to the end of the file.
    async fn write_out(&mut self) -> Result<(), SpoolError> {
        {
            let mut state = self.shared.lock();
            let length = state.length();
            state.disk.grow_to(length)?;
        }
        let pieces = self.shared.pending();
        let count = pieces.iter().map(|piece| length_of(piece)).sum();
        let (file, room) = (self.file.take(), Arc::clone(&self.room));
        let written = spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(&room.directory)?),
            };
            write_all(&file, &pieces)?;
            Ok::<_, io::Error>(file)
        });
        let file = written.await.map_err(io::Error::other)??;
        self.file = Some(Arc::clone(&file));
        // Where memory is short nothing is kept.
        let keep = self.shared.lock().memory.grow_to(bytes(BLOCK) + KEPT).map_or(0, |()| KEPT);
        self.shared.wrote(file, count, keep);
        // What goes out as it arrives is taken a little slower rather than read back: it has to go out in any case.
        let _ = timeout(PATIENCE, self.shared.followed(keep, FAR)).await;
        Ok(())
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

pub(super) fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
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
