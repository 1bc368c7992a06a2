//! A log in the spool: bytes that are appended, and read from any place by any number of readers while it grows.
//!
//! The last bytes are in memory; those before them are in a file without a name, which the system deletes when the last
//! handle closes. A reader holds nothing but its place.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::error::SpoolError;
use super::quota::SpoolQuota;
use super::state::{bytes, length_of};
use crate::fair_share::{Refused, Reservation, ShareKey};

/// The number of bytes in memory from which they go to the file.
const MAX_IN_MEMORY: usize = 16 * 1024;
/// The number of bytes that one read returns at most.
const MAX_READ: u64 = 64 * 1024;

/// A log in the spool. Dropping it deletes its bytes.
pub struct SpoolLog {
    quota: Arc<SpoolQuota>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// The bytes after those in the file.
    recent: Vec<u8>,
    file: Option<Arc<File>>,
    /// The number of bytes in the file.
    written: u64,
    is_closed: bool,
    disk: Reservation,
}

/// The bytes of a log from a place on.
#[derive(Debug)]
pub enum LogRead {
    /// Some bytes.
    Bytes(Bytes),
    /// The log has ended there.
    End,
}

enum Place {
    Memory(Bytes),
    File(Arc<File>, u64),
    Wait,
    End,
}

impl SpoolLog {
    /// Creates an empty log within `quota` that counts against the share of `key`.
    pub fn new(quota: &Arc<SpoolQuota>, key: ShareKey) -> Result<Self, Refused> {
        let disk = quota.disk.try_acquire(key, 0)?;
        let state = State { recent: Vec::new(), file: None, written: 0, is_closed: false, disk };
        Ok(Self { quota: Arc::clone(quota), state: Mutex::new(state), changed: Notify::new() })
    }

    /// Returns the number of bytes.
    pub fn length(&self) -> u64 {
        self.lock().length()
    }

    /// Appends bytes, which readers have from then on. One task appends at a time.
    pub async fn append(&self, more: &[u8]) -> Result<(), SpoolError> {
        self.append_in_memory(more);
        if self.lock().recent.len() > MAX_IN_MEMORY { self.write_out().await } else { Ok(()) }
    }

    /// Appends the last bytes, where nobody can wait for the file.
    pub fn append_in_memory(&self, more: &[u8]) {
        self.lock().recent.extend_from_slice(more);
        self.changed.notify_waiters();
    }

    /// Ends the log.
    pub fn close(&self) {
        {
            let mut state = self.lock();
            state.is_closed = true;
            state.recent.shrink_to_fit();
        }
        self.changed.notify_waiters();
    }

    /// Ends the log, and deletes its bytes.
    pub fn discard(&self) {
        let gone = {
            let mut state = self.lock();
            state.is_closed = true;
            (std::mem::take(&mut state.recent), state.file.take(), std::mem::take(&mut state.written))
        };
        // A file is closed outside the lock.
        drop(gone);
        self.changed.notify_waiters();
    }

    /// Returns the bytes from `place` on, some 64 KiB at most; waits while there are none and the log has not ended.
    pub async fn read(&self, place: u64) -> io::Result<LogRead> {
        loop {
            // The future is created before the look, so that no later change is missed.
            let changed = self.changed.notified();
            let at = self.lock().at(place);
            match at {
                Place::Memory(bytes) => return Ok(LogRead::Bytes(bytes)),
                Place::File(file, length) => return read_block(file, place, length).await.map(LogRead::Bytes),
                Place::End => return Ok(LogRead::End),
                Place::Wait => {}
            }
            changed.await;
        }
    }

    /// Returns all bytes of the log so far.
    pub async fn read_all(&self) -> io::Result<Vec<u8>> {
        let length = self.length();
        let mut all = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        while length_of(&all) < length {
            match self.read(length_of(&all)).await? {
                LogRead::Bytes(bytes) => all.extend_from_slice(&bytes),
                LogRead::End => break,
            }
        }
        Ok(all)
    }

    /// Moves the bytes in memory to the end of the file.
    async fn write_out(&self) -> Result<(), SpoolError> {
        let (block, at, file) = {
            let mut state = self.lock();
            let length = state.length();
            state.disk.grow_to(length)?;
            (state.recent.clone(), state.written, state.file.clone())
        };
        let (count, quota) = (block.len(), Arc::clone(&self.quota));
        let written = spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(&quota.directory)?),
            };
            file.write_all_at(&block, at)?;
            Ok::<_, io::Error>(file)
        });
        let file = written.await.map_err(io::Error::other)??;
        let mut state = self.lock();
        state.file = Some(file);
        state.written = state.written.saturating_add(bytes(count));
        state.recent.drain(..count);
        state.recent.shrink_to(MAX_IN_MEMORY);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock cannot leave a partial change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn length(&self) -> u64 {
        self.written.saturating_add(length_of(&self.recent))
    }

    fn at(&self, place: u64) -> Place {
        if let Some(file) = self.file.as_ref().filter(|_| place < self.written) {
            return Place::File(Arc::clone(file), self.written.saturating_sub(place).min(MAX_READ));
        }
        let from = usize::try_from(place.saturating_sub(self.written)).unwrap_or(usize::MAX);
        match self.recent.get(from..) {
            Some(rest) if !rest.is_empty() => Place::Memory(Bytes::copy_from_slice(rest)),
            _ if self.is_closed => Place::End,
            _ => Place::Wait,
        }
    }
}

async fn read_block(file: Arc<File>, place: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).unwrap_or_default();
    let read = spawn_blocking(move || {
        let mut block = vec![0; length];
        file.read_exact_at(&mut block, place)?;
        Ok(Bytes::from(block))
    });
    read.await.map_err(io::Error::other)?
}

/// Shows only the size: the content is a transcript.
impl fmt::Debug for SpoolLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpoolLog").field("bytes", &self.length()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    fn quota(directory: &Path) -> Arc<SpoolQuota> {
        let spool = config::Spool {
            spool_dir: directory.to_owned(),
            spool_memory_bytes: 0,
            max_spool_memory_bytes: 0,
            max_spool_disk_bytes: 1 << 20,
        };
        SpoolQuota::new(&spool, 1 << 20)
    }

    async fn read_from(log: &SpoolLog, mut place: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while let LogRead::Bytes(some) = log.read(place).await.unwrap() {
            place += length_of(&some);
            all.extend_from_slice(&some);
        }
        all
    }

    #[tokio::test]
    async fn a_log_is_read_from_any_place_in_memory_and_in_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let log = SpoolLog::new(&quota(directory.path()), ShareKey::of_caller("alice")).unwrap();
        let mut whole = Vec::new();
        for number in 0..4000_u32 {
            let line = format!("{number}\n");
            log.append(line.as_bytes()).await.unwrap();
            whole.extend_from_slice(line.as_bytes());
        }
        {
            let state = log.lock();
            assert!(state.recent.len() <= MAX_IN_MEMORY && state.written > 0);
        }
        assert_eq!(log.read_all().await.unwrap(), whole);
        log.close();
        let written = log.lock().written;
        let length = log.length();
        for place in [0, 1, 7000, written, length - 1, length] {
            let from = usize::try_from(place).unwrap();
            assert_eq!(read_from(&log, place).await, whole[from..]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_waits_for_what_is_appended_and_for_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let log = Arc::new(SpoolLog::new(&quota(directory.path()), ShareKey::of_caller("alice")).unwrap());
        let reader = tokio::spawn({
            let log = Arc::clone(&log);
            async move { read_from(&log, 0).await }
        });
        for part in ["one ", "two ", "three"] {
            tokio::task::yield_now().await;
            log.append(part.as_bytes()).await.unwrap();
        }
        assert!(!reader.is_finished());
        log.close();
        assert_eq!(reader.await.unwrap(), b"one two three");
    }

    #[tokio::test]
    async fn a_log_has_no_more_bytes_than_the_spool_has_room_for() {
        let directory = tempfile::tempdir().unwrap();
        let log = SpoolLog::new(&quota(directory.path()), ShareKey::of_caller("alice")).unwrap();
        let block = vec![b'x'; 100 * 1024];
        let mut refused = None;
        for _ in 0..20 {
            refused = log.append(&block).await.err();
            if refused.is_some() {
                break;
            }
        }
        assert!(matches!(refused, Some(SpoolError::NoRoom(_))));
    }
}
