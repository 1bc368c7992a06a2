//! The threads that work on sound.
//!
//! Decoding and encoding take processor time, and may read and write files. On a worker thread they would delay every
//! other request of that thread. So a few threads do them, in turns: a turn takes 50 ms at most, and then the work goes to
//! the end of its caller's lane in a queue that callers share by the rule of [`fair_share`](crate::fair_share). So a
//! recording of one minute never waits for one of four hours. No thread waits for a client: work that lacks bytes ends
//! its turn with a result that says so.

#[cfg(test)]
mod tests;
mod turn;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::error::SpeechError;
use crate::fair_share::{FairQueue, ShareKey, Ticket};
pub(super) use turn::Turn;

/// The maximum number of recordings that wait for a thread.
const MAX_QUEUED: u64 = 1024;

/// The threads that decode, cut and encode sound, and their queue. Dropping the pool ends the threads.
pub struct SpeechPool {
    shared: Arc<Shared>,
    threads: usize,
}

/// The load of a [`SpeechPool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechLoad {
    /// The number of recordings that wait for a thread.
    pub queued: u64,
    /// The number of waiting recordings from which new ones are refused.
    pub max_queued: u64,
    /// The number of threads that work on a recording.
    pub busy: usize,
    /// The number of threads.
    pub threads: usize,
}

struct Shared {
    state: Mutex<State>,
    /// The signal that work was queued, or that the pool was closed.
    changed: Condvar,
}

struct State {
    queue: FairQueue<Work>,
    busy: usize,
    is_closed: bool,
}

/// Work that takes one turn at each call, and returns true once it is done.
type Work = Box<dyn FnMut(&Turn) -> bool + Send>;

/// The place of a recording in the queue: `New` for its first work, which may be refused. Later work of the same recording
/// is not, since what was done would be lost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    New(ShareKey),
    Had(Ticket),
}

impl SpeechPool {
    /// Creates a pool of this many threads.
    pub fn new(threads: NonZeroUsize) -> io::Result<Self> {
        Self::with(threads.get(), MAX_QUEUED)
    }

    fn with(threads: usize, max_queued: u64) -> io::Result<Self> {
        let state = State { queue: FairQueue::new(max_queued), busy: 0, is_closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        // If a thread cannot be created, dropping the pool ends those before it.
        let pool = Self { shared, threads };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new().name(format!("speech-{number}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// Queues `work`, which is called for one turn after another until it returns a result.
    pub(super) fn run<T: Send + 'static>(
        &self,
        place: Place,
        mut work: impl FnMut(&Turn) -> Option<T> + Send + 'static,
    ) -> Result<Running<T>, SpeechError> {
        let (answer, answered) = oneshot::channel();
        let mut answer = Some(answer);
        let work: Work = Box::new(move |turn| {
            if answer.as_ref().is_none_or(oneshot::Sender::is_closed) {
                return true;
            }
            let Some(result) = work(turn) else { return false };
            if let Some(answer) = answer.take() {
                // The receiver is gone if the client has gone.
                let _ = answer.send(result);
            }
            true
        });
        let ticket = self.shared.queue(place, work)?;
        Ok(Running { shared: Arc::clone(&self.shared), ticket, answered })
    }

    /// Returns the current load.
    pub fn load(&self) -> SpeechLoad {
        let state = self.shared.lock();
        let (queued, max_queued) = (state.queue.len(), state.queue.capacity());
        SpeechLoad { queued, max_queued, busy: state.busy, threads: self.threads }
    }
}

impl fmt::Debug for SpeechPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpeechPool").field(&self.load()).finish()
    }
}

impl Drop for SpeechPool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, place: Place, work: Work) -> Result<Ticket, SpeechError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(SpeechError::BrokeOff);
        }
        let ticket = match place {
            Place::New(key) => state.queue.push(key, work).map_err(SpeechError::NoTurn)?,
            Place::Had(ticket) => {
                state.queue.put_back(ticket, work);
                ticket
            }
        };
        drop(state);
        self.changed.notify_one();
        Ok(ticket)
    }

    /// Gives one turn after another until the pool is closed. Each thread runs this.
    fn work(&self) {
        while let Some((ticket, mut work)) = self.next() {
            let turn = Turn::begin();
            // After a panic the work is dropped, which answers the request, and the thread continues.
            let left = catch_unwind(AssertUnwindSafe(move || if work(&turn) { None } else { Some(work) }));
            let mut state = self.lock();
            state.busy -= 1;
            if let Ok(Some(work)) = left {
                state.queue.put_back(ticket, work);
            }
        }
    }

    /// Waits for the next work in turn, and returns it; `None` once the pool is closed.
    fn next(&self) -> Option<(Ticket, Work)> {
        let waits = |state: &mut State| !state.is_closed && state.queue.len() == 0;
        let state = self.changed.wait_while(self.lock(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            // Dropping the work tells the waiting requests that no answer will come.
            state.queue.clear();
            return None;
        }
        let next = state.queue.pop()?;
        state.busy += 1;
        Some(next)
    }
}

/// Work in a [`SpeechPool`]. Dropping it takes the work out of the queue, or ends it with its current turn.
pub(super) struct Running<T> {
    shared: Arc<Shared>,
    ticket: Ticket,
    answered: oneshot::Receiver<T>,
}

impl<T> Running<T> {
    /// Waits for the result. If the wait is given up, it can be begun again.
    pub(super) async fn wait(&mut self) -> Result<T, SpeechError> {
        (&mut self.answered).await.map_err(|_| SpeechError::BrokeOff)
    }

    /// Returns the place for the next work of the same recording.
    pub(super) fn place(&self) -> Place {
        Place::Had(self.ticket)
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        let left = self.shared.lock().queue.remove(self.ticket);
        // The work may hold the last handle of a file, so it is dropped after the lock.
        drop(left);
    }
}
