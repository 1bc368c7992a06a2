//! The state that a spool's writer and its readers share.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::quota::Share;
use crate::fair_share::Reservation;

/// The bytes of one recording, and the signals for its readers and its writer.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
    followed: Notify,
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
    follower: Option<u64>,
    end: End,
    /// The memory that the recording takes up, until the last handle is dropped.
    pub(super) memory: Share,
    pub(super) disk: Reservation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More bytes may come.
    Open,
    /// The recording is complete.
    Whole,
    /// The writer was dropped before the end.
    Abandoned,
}

/// The result of a look at an offset for a reader.
pub(super) enum Look {
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
    pub(super) fn new(memory: Share, disk: Reservation) -> Self {
        let state = State {
            recent: VecDeque::new(),
            file: None,
            written: 0,
            length: 0,
            held_from: None,
            follower: None,
            end: End::Open,
            memory,
            disk,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), followed: Notify::new() }
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
        let from = state.follower.map_or(state.written, |place| place.clamp(kept, state.written));
        let gone = state.recent.partition_point(|(at, piece)| at.saturating_add(length_of(piece)) <= from);
        state.recent.drain(..gone);
    }

    /// Waits until the live reader is within `near` bytes of the end. A reader more than `far` bytes behind is a retry
    /// from the start, so the writer does not wait for it.
    pub(super) async fn followed(&self, near: u64, far: u64) {
        loop {
            let followed = self.followed.notified();
            let behind = self.lock().behind();
            if behind <= near || behind > far {
                return;
            }
            followed.await;
        }
    }

    /// Records that the live reader has reached `place`.
    pub(super) fn follow(&self, place: u64) {
        self.lock().follower = Some(place);
        self.followed.notify_waiters();
    }

    pub(super) fn hold_from(&self, place: u64) {
        self.lock().held_from = Some(place);
    }

    pub(super) fn release(&self) {
        self.lock().held_from = None;
        self.changed.notify_waiters();
    }

    pub(super) fn finish(&self) {
        self.lock().end = End::Whole;
        self.changed.notify_waiters();
    }

    /// Marks the recording as abandoned unless it is complete.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if state.end == End::Open {
            state.end = End::Abandoned;
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// Returns true if more bytes may come.
    pub(super) fn is_open(&self) -> bool {
        self.lock().end == End::Open
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.lock().written == 0
    }

    /// Looks at `place` for a reader that expects `expected` bytes in all.
    pub(super) fn look(&self, place: u64, expected: u64) -> Look {
        let state = self.lock();
        let there = state.length.min(state.held_from.unwrap_or(u64::MAX)).min(expected);
        match state.end {
            End::Abandoned => return Look::Broken,
            End::Whole if state.length != expected => return Look::Broken,
            _ if place < there => {}
            End::Whole if place == expected => return Look::End,
            _ => return Look::Wait,
        }
        state.at(place, there)
    }

    /// Looks at the bytes that have arrived at `place`, including those held back from readers.
    pub(super) fn arrived(&self, place: u64) -> Look {
        let state = self.lock();
        if place < state.length { state.at(place, state.length) } else { Look::End }
    }

    pub(super) fn length(&self) -> u64 {
        self.lock().length
    }
}

impl State {
    /// Returns the number of bytes by which the live reader is behind.
    fn behind(&self) -> u64 {
        self.follower.map_or(0, |place| self.length.saturating_sub(place))
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
    fn at(&self, place: u64, until: u64) -> Look {
        let next = self.recent.partition_point(|(at, _)| *at <= place);
        let piece = next.checked_sub(1).and_then(|index| self.recent.get(index));
        if let Some((at, bytes)) = piece {
            let from = usize::try_from(place - at).unwrap_or(usize::MAX).min(bytes.len());
            let to = usize::try_from(until - at).unwrap_or(usize::MAX).min(bytes.len());
            return Look::Bytes(bytes.slice(from..to));
        }
        match &self.file {
            Some(file) => Look::InFile(Arc::clone(file), until.min(self.written).saturating_sub(place)),
            None => Look::Broken,
        }
    }
}

/// Shows only the size: the content is a caller's speech.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("bytes", &self.length()).finish_non_exhaustive()
    }
}

pub(super) fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
