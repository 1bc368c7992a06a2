//! The state that a spool's writer and its readers share.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::quota::MemoryReservation;
use crate::fair_share::Reservation;

/// The number of bytes read from the file at once, and usually written to it at once.
pub(super) const BLOCK: usize = 256 * 1024;
/// The size of the pieces that arriving bytes are copied into. Keeping the received buffers would pin them, so that
/// each read would need a new buffer.
pub(super) const PIECE: usize = 32 * 1024;

/// The bytes of one recording, and the signals for its readers and its writer.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
    live_reader_moved: Notify,
}

pub(super) struct State {
    /// The bytes in memory, each piece with its offset. All bytes that are not in the file are here.
    recent: VecDeque<(u64, Bytes)>,
    file: Option<Arc<File>>,
    /// The number of bytes in the file.
    written: u64,
    length: u64,
    /// The offset at which readers must stop.
    held_from: Option<u64>,
    /// The offset that the live reader has reached.
    live_reader: Option<u64>,
    writer: WriterState,
    /// The memory that the recording takes up, until the last handle is dropped.
    pub(super) memory: MemoryReservation,
    pub(super) disk: Reservation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterState {
    /// More bytes may come.
    Open,
    /// The recording is complete.
    Whole,
    /// The writer was dropped before the end.
    Abandoned,
}

/// The content at an offset, for a reader.
pub(super) enum ReadState {
    Bytes(Bytes),
    /// The file, and the number of bytes available in it.
    InFile(Arc<File>, u64),
    /// No bytes yet.
    Wait,
    /// The end of the recording.
    End,
    /// The recording will never be complete.
    Broken,
}

impl Shared {
    pub(super) fn new(memory: MemoryReservation, disk: Reservation) -> Self {
        let state = State {
            recent: VecDeque::new(),
            file: None,
            written: 0,
            length: 0,
            held_from: None,
            live_reader: None,
            writer: WriterState::Open,
            memory,
            disk,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), live_reader_moved: Notify::new() }
    }

    /// Creates the state of a complete recording: the `length` bytes of `file`.
    pub(super) fn in_file(file: File, length: u64, memory: MemoryReservation, disk: Reservation) -> Self {
        let shared = Self::new(memory, disk);
        {
            let mut state = shared.lock();
            (state.file, state.written, state.length) = (Some(Arc::new(file)), length, length);
            state.writer = WriterState::Whole;
        }
        shared
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a future that resolves at the first change after this call.
    pub(super) fn change(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(super) fn append(&self, bytes: Bytes) {
        let mut state = self.lock();
        let at = state.length;
        state.length = at.saturating_add(length_of(&bytes));
        state.recent.push_back((at, bytes));
        drop(state);
        self.changed.notify_waiters();
    }

    /// Returns the pieces that are not in the file yet.
    pub(super) fn pending(&self) -> Vec<Bytes> {
        let state = self.lock();
        state.recent.iter().filter(|(at, _)| *at >= state.written).map(|(_, bytes)| bytes.clone()).collect()
    }

    /// Records that the next `bytes` pending bytes are now in `file`. Up to `keep` of the written bytes stay in memory
    /// for a live reader that has yet to read them.
    pub(super) fn wrote(&self, file: Arc<File>, bytes: u64, keep: u64) {
        let mut state = self.lock();
        state.file = Some(file);
        state.written = state.written.saturating_add(bytes);
        let kept = state.written.saturating_sub(keep);
        let from = state.live_reader.map_or(state.written, |place| place.clamp(kept, state.written));
        let gone = state.recent.partition_point(|(at, piece)| at.saturating_add(length_of(piece)) <= from);
        state.recent.drain(..gone);
    }

    /// Waits until the live reader is within `max_lag` bytes of the end. A reader more than `retry_lag` bytes behind is a retry
    /// from the start, so the writer does not wait for it.
    pub(super) async fn wait_for_live_reader(&self, max_lag: u64, retry_lag: u64) {
        loop {
            let moved = self.live_reader_moved.notified();
            let lag = self.lock().lag();
            if lag <= max_lag || lag > retry_lag {
                return;
            }
            moved.await;
        }
    }

    /// Records that the live reader has reached `place`.
    pub(super) fn live_reader_at(&self, place: u64) {
        self.lock().live_reader = Some(place);
        self.live_reader_moved.notify_waiters();
    }

    pub(super) fn hold_from(&self, place: u64) {
        self.lock().held_from = Some(place);
    }

    pub(super) fn release(&self) {
        self.lock().held_from = None;
        self.changed.notify_waiters();
    }

    pub(super) fn finish(&self) {
        self.lock().writer = WriterState::Whole;
        self.changed.notify_waiters();
    }

    /// Marks the recording as abandoned unless it is complete.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if state.writer == WriterState::Open {
            state.writer = WriterState::Abandoned;
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// Returns true if more bytes may come.
    pub(super) fn is_open(&self) -> bool {
        self.lock().writer == WriterState::Open
    }

    /// Returns true if readers may have all that they will ever get.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.lock();
        match state.writer {
            WriterState::Open => false,
            WriterState::Whole => state.held_from.is_none(),
            WriterState::Abandoned => true,
        }
    }

    /// Returns the number of bytes that readers may have.
    pub(super) fn readable(&self) -> u64 {
        let state = self.lock();
        state.length.min(state.held_from.unwrap_or(u64::MAX))
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.lock().written == 0
    }

    /// Returns the content at `place` for a reader that expects `expected` bytes in all.
    pub(super) fn read_state(&self, place: u64, expected: u64) -> ReadState {
        let state = self.lock();
        let there = state.length.min(state.held_from.unwrap_or(u64::MAX)).min(expected);
        match state.writer {
            WriterState::Abandoned => return ReadState::Broken,
            WriterState::Whole if state.length != expected => return ReadState::Broken,
            _ if place < there => {}
            WriterState::Whole if place == expected => return ReadState::End,
            _ => return ReadState::Wait,
        }
        state.at(place, there)
    }

    /// Returns the content that has arrived at `place`, including those held back from readers.
    pub(super) fn arrived(&self, place: u64) -> ReadState {
        let state = self.lock();
        if place < state.length { state.at(place, state.length) } else { ReadState::End }
    }

    pub(super) fn length(&self) -> u64 {
        self.lock().length
    }
}

impl State {
    /// Returns the number of bytes by which the live reader is behind.
    fn lag(&self) -> u64 {
        self.live_reader.map_or(0, |place| self.length.saturating_sub(place))
    }

    /// Returns the number of bytes that are not in the file.
    pub(super) fn unwritten(&self) -> u64 {
        self.length.saturating_sub(self.written)
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Returns the bytes from `place` up to `until`, as far as they are contiguous.
    fn at(&self, place: u64, until: u64) -> ReadState {
        let next = self.recent.partition_point(|(at, _)| *at <= place);
        let piece = next.checked_sub(1).and_then(|index| self.recent.get(index));
        if let Some((at, bytes)) = piece {
            let from = usize::try_from(place - at).unwrap_or(usize::MAX).min(bytes.len());
            let to = usize::try_from(until - at).unwrap_or(usize::MAX).min(bytes.len());
            return ReadState::Bytes(bytes.slice(from..to));
        }
        match &self.file {
            Some(file) => ReadState::InFile(Arc::clone(file), until.min(self.written).saturating_sub(place)),
            None => ReadState::Broken,
        }
    }
}

/// Shows only the size: the content is a caller's speech.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("bytes", &self.length()).finish_non_exhaustive()
    }
}

pub(super) fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(super) fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
