//! The measuring of recordings, on dedicated threads.
//!
//! Measuring takes processor time and may read from disk. On a worker thread it would delay every other request of that
//! thread; tokio's blocking threads would run as many measurements at once as there are requests. So a few threads
//! measure, which leaves a core to other work, and a queue holds the recordings that wait. The queue:
//!
//! - is bounded, and callers share it by the rule of [`fair_share`](crate::fair_share)
//! - takes turns: one recording of each caller, and within a caller one of each session, before the next of any
//! - drops recordings whose clients have gone. If such a recording is being measured, reads fail from then on, which
//!   ends the work
//!
//! A small WAV file of plain PCM that is in memory does not wait: its length takes a few microseconds of arithmetic, less
//! than another thread needs to wake.
//!
//! [`media`] itself bounds the time that one recording may take.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::IntakeError;
use super::media::{self, MediaError, MediaInfo};
use super::spool::{Spool, SpoolSource};
use crate::fair_share::{FairQueue, ShareKey, Ticket};

/// The maximum number of recordings that wait for a thread. Their bytes are in the spool, which has its own bound; an
/// entry here takes a few hundred bytes.
const MAX_QUEUED: u64 = 1024;

type Measured = Result<MediaInfo, MediaError>;

/// The threads that measure recordings, and their queue. Dropping the pool ends the threads.
pub struct MeasuringPool {
    shared: Arc<Shared>,
    threads: usize,
}

/// The load of a [`MeasuringPool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasuringLoad {
    /// The number of recordings that wait for a thread.
    pub queued: u64,
    /// The maximum number of recordings that may wait.
    pub max_queued: u64,
    /// The number of threads that measure a recording.
    pub busy: usize,
    /// The number of threads.
    pub threads: usize,
}

struct Shared {
    state: Mutex<State>,
    /// The signal that a recording was queued, or that the pool was closed.
    changed: Condvar,
    measure: Box<dyn Fn(SpoolSource, u64) -> Measured + Send + Sync>,
}

struct State {
    /// The recordings that wait.
    queue: FairQueue<Recording>,
    busy: usize,
    is_closed: bool,
}

/// A recording that waits to be measured.
struct Recording {
    source: SpoolSource,
    bytes: u64,
    answer: oneshot::Sender<Measured>,
}

impl MeasuringPool {
    /// Creates a pool that leaves one of the machine's cores free, if there are several.
    pub fn new() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with(cores.saturating_sub(1).max(1), MAX_QUEUED, media::inspect)
    }

    fn with(
        threads: usize,
        max_queued: u64,
        measure: impl Fn(SpoolSource, u64) -> Measured + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let state = State { queue: FairQueue::new(max_queued), busy: 0, is_closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), measure: Box::new(measure) });
        // If a thread cannot be created, dropping the pool ends those before it.
        let pool = Self { shared, threads };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new().name(format!("measuring-{number}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// Measures the recording in `spool`: its container, codec and length. The recording waits in the queue under
    /// `key`.
    pub async fn measure(&self, key: ShareKey, spool: &Spool) -> Result<MediaInfo, IntakeError> {
        if spool.length() <= media::MAX_AT_ONCE
            && spool.is_in_memory()
            && let Some(info) = media::inspect_at_once(spool.source(), spool.length())
        {
            return Ok(info);
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        let (answer, answered) = oneshot::channel();
        let (source, bytes) = (spool.source_until(&cancelled), spool.length());
        let ticket = self.shared.queue(key, Recording { source, bytes, answer })?;
        let _waiting = Waiting { shared: &self.shared, ticket, cancelled };
        let measured = answered.await.map_err(|_| io::Error::other("the measuring of a recording broke off"))?;
        Ok(measured?)
    }

    /// Returns the current load.
    pub fn load(&self) -> MeasuringLoad {
        let state = self.shared.lock();
        let (queued, max_queued) = (state.queue.len(), state.queue.capacity());
        MeasuringLoad { queued, max_queued, busy: state.busy, threads: self.threads }
    }
}

impl fmt::Debug for MeasuringPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MeasuringPool").field(&self.load()).finish()
    }
}

impl Drop for MeasuringPool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, key: ShareKey, recording: Recording) -> Result<Ticket, IntakeError> {
        let ticket = self.lock().queue.push(key, recording).map_err(IntakeError::NoTurn)?;
        self.changed.notify_one();
        Ok(ticket)
    }

    /// Measures one recording after another until the pool is closed. Each thread runs this.
    fn work(&self) {
        while let Some(Recording { source, bytes, answer }) = self.next() {
            // After a panic the sender is dropped, which answers the request, and the thread continues.
            let measured = catch_unwind(AssertUnwindSafe(|| (self.measure)(source, bytes)));
            self.lock().busy -= 1;
            if let Ok(measured) = measured {
                // The receiver is gone if the client has gone.
                let _ = answer.send(measured);
            }
        }
    }

    /// Waits for the next recording in turn, and returns it; `None` once the pool is closed.
    fn next(&self) -> Option<Recording> {
        let waits = |state: &mut State| !state.is_closed && state.queue.len() == 0;
        let state = self.changed.wait_while(self.lock(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            // Dropping the senders tells the waiting requests that no answer will come.
            state.queue.clear();
            return None;
        }
        let (_, recording) = state.queue.pop()?;
        state.busy += 1;
        Some(recording)
    }
}

/// A request that waits for its recording to be measured. Dropping it removes the recording from the queue.
struct Waiting<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    cancelled: Arc<AtomicBool>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let left = self.shared.lock().queue.remove(self.ticket);
        // The recording may hold the last handle of a file, so it is dropped after the lock.
        drop(left);
    }
}
