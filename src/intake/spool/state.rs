//! What a spool's writer and its readers share.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::quota::Share;
use crate::fair_share::Reservation;

/// The bytes of one recording and who waits for more of them.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
    followed: Notify,
}

pub(super) struct State {
    /// What is in memory, each piece with its place; all that is not in the file is here.
    recent: VecDeque<(u64, Bytes)>,
    file: Option<Arc<File>>,
    /// How much of it is in the file.
    written: u64,
    length: u64,
    /// Readers get nothing from here on.
    held_from: Option<u64>,
    /// How far the one has come who reads while it arrives.
    follower: Option<u64>,
    end: End,
    /// The room that it takes up, until the last handle goes.
    pub(super) memory: Share,
    pub(super) disk: Reservation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// This is all.
    Whole,
    /// The writer has gone before the end.
    Abandoned,
}

/// What there is for a reader at its place.
pub(super) enum Look {
    Bytes(Bytes),
    /// So many bytes are in the file.
    InFile(Arc<File>, u64),
    /// Nothing yet.
    Wait,
    /// Nothing more.
    End,
    /// It will never be whole.
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

    /// Resolves when something has changed since it was made.
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

    /// The pieces that are not in the file yet.
    pub(super) fn pending(&self) -> Vec<Bytes> {
        let state = self.lock();
        state.recent.iter().filter(|(at, _)| *at >= state.written).map(|(_, bytes)| bytes.clone()).collect()
    }

    /// The next `bytes` of what was pending are in `file` now. Of what is there, up to `keep` bytes stay in memory for who
    /// has yet to read them.
    pub(super) fn wrote(&self, file: Arc<File>, bytes: u64, keep: u64) {
        let mut state = self.lock();
        state.file = Some(file);
        state.written = state.written.saturating_add(bytes);
        let kept = state.written.saturating_sub(keep);
        let from = state.follower.map_or(state.written, |place| place.clamp(kept, state.written));
        let gone = state.recent.partition_point(|(at, piece)| at.saturating_add(length_of(piece)) <= from);
        state.recent.drain(..gone);
    }

    /// Waits until who reads while it arrives has come within `near` bytes of the end. It is not waited for who is `far`
    /// behind: they began anew.
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

    /// Who reads while it arrives has come so far.
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

    /// Gives it up unless it is whole.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if state.end == End::Open {
            state.end = End::Abandoned;
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// Whether more may come.
    pub(super) fn is_open(&self) -> bool {
        self.lock().end == End::Open
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.lock().written == 0
    }

    /// What there is at `place` for a reader who expects `expected` bytes in all.
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

    /// What has arrived by now at `place`, whoever may read it.
    pub(super) fn arrived(&self, place: u64) -> Look {
        let state = self.lock();
        if place < state.length { state.at(place, state.length) } else { Look::End }
    }

    pub(super) fn length(&self) -> u64 {
        self.lock().length
    }
}

impl State {
    /// How far who reads while it arrives is behind.
    fn behind(&self) -> u64 {
        self.follower.map_or(0, |place| self.length.saturating_sub(place))
    }

    /// How many bytes are not in the file.
    pub(super) fn unwritten(&self) -> u64 {
        self.length.saturating_sub(self.written)
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The bytes from `place` up to `until`, as many as lie together.
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

/// Its size only: it is somebody's speech.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("bytes", &self.length()).finish_non_exhaustive()
    }
}

pub(super) fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
