//! A reader of the events of a live session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::session::LiveSession;
use crate::intake::LogRead;

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
/// The largest number of readers of one session at the same time.
pub(super) const MAX_READERS: usize = 8;

/// The reason why events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadEventsError {
    /// The session has as many readers as it may have.
    #[error("The live session has {MAX_READERS} readers of its events, which is the maximum.")]
    TooManyReaders,
    /// The session has no event with this id.
    #[error("it is not the id of an event of this session")]
    UnknownEvent,
    /// The log cannot be read.
    #[error("the events of a live session cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// A reader of the events of a session. It holds nothing but its place.
pub struct EventReader {
    session: Arc<LiveSession>,
    place: u64,
    keep_alive: Duration,
    is_first: bool,
}

impl EventReader {
    /// Opens a reader of the events after the one with the id `after`. While there are none, it gives a comment every
    /// `keep_alive`.
    pub(super) async fn open(
        session: &Arc<LiveSession>,
        after: u64,
        keep_alive: Duration,
    ) -> Result<Self, ReadEventsError> {
        let taken = session
            .readers
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |readers| (readers < MAX_READERS).then_some(readers + 1));
        taken.map_err(|_| ReadEventsError::TooManyReaders)?;
        // From here on the place is given back when the reader is dropped.
        let reader = Self { session: Arc::clone(session), place: after, keep_alive, is_first: true };
        if session.events.is_boundary(after).await? { Ok(reader) } else { Err(ReadEventsError::UnknownEvent) }
    }

    /// Returns the next bytes of the stream: whole events up to the newest, or a part of many; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        // The client learns at once that its request was taken.
        let wait = if std::mem::take(&mut self.is_first) { Duration::ZERO } else { self.keep_alive };
        match timeout(wait, self.session.events.read(self.place)).await {
            Err(_) => Some(Bytes::from_static(KEEP_ALIVE)),
            Ok(Ok(LogRead::Bytes(bytes))) => {
                self.place = self.place.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                Some(bytes)
            }
            Ok(Ok(LogRead::End)) => None,
            Ok(Err(error)) => {
                tracing::error!(%error, "the events of a live session cannot be read");
                None
            }
        }
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.session.readers.fetch_sub(1, Ordering::Relaxed);
    }
}
