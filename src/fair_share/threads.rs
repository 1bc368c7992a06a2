//! Threads for work that callers share: processor time, in turns.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::key::ShareKey;
use super::queue::{FairQueue, Ticket};
use super::refused::Refused;

/// A pool of threads that take work from a [`FairQueue`]. Dropping the pool ends the threads, and drops the work that
/// waits.
pub(crate) struct FairThreads<W> {
    queue: WorkQueue<W>,
    threads: usize,
}

/// A handle to the queue of a [`FairThreads`].
pub(crate) struct WorkQueue<W>(Arc<Shared<W>>);

/// The load of a pool of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadsLoad {
    /// The amount of work that waits for a thread.
    pub queued: u64,
    /// The amount of waiting work from which new work is refused.
    pub max_queued: u64,
    /// The number of threads that work.
    pub busy: usize,
    /// The number of threads.
    pub threads: usize,
}

/// The result of one turn of work.
pub(crate) enum Turned<W> {
    /// The work needs another turn, behind the others of its caller.
    Again(W),
    /// The work is done. The function hands the result on; it is called once the thread no longer counts as busy.
    Done(Box<dyn FnOnce() + Send>),
}

/// The refusal of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The caller has no place left in the queue.
    Refused(Refused),
    /// The pool was dropped.
    Closed,
}

struct Shared<W> {
    state: Mutex<State<W>>,
    /// The signal that work was queued, or that the pool was closed.
    changed: Condvar,
    turn: Box<dyn Fn(W) -> Turned<W> + Send + Sync>,
}

struct State<W> {
    queue: FairQueue<W>,
    busy: usize,
    is_closed: bool,
}

impl<W: Send + 'static> FairThreads<W> {
    /// Creates a pool of this many threads, called `name` and a number, whose queue holds `max_queued`. `turn` works for
    /// one turn.
    pub(crate) fn new(
        name: &str,
        threads: usize,
        max_queued: u64,
        turn: impl Fn(W) -> Turned<W> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let state = State { queue: FairQueue::new(max_queued), busy: 0, is_closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), turn: Box::new(turn) });
        // If a thread cannot be created, dropping the pool ends those before it.
        let pool = Self { queue: WorkQueue(shared), threads };
        for number in 0..threads {
            let shared = Arc::clone(&pool.queue.0);
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }
}

impl<W> FairThreads<W> {
    /// Returns a handle to the queue.
    pub(crate) fn queue(&self) -> &WorkQueue<W> {
        &self.queue
    }

    /// Returns the current load.
    pub(crate) fn load(&self) -> ThreadsLoad {
        let state = self.queue.0.lock();
        let (queued, max_queued) = (state.queue.len(), state.queue.capacity());
        ThreadsLoad { queued, max_queued, busy: state.busy, threads: self.threads }
    }
}

impl<W> fmt::Debug for FairThreads<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FairThreads").field(&self.load()).finish()
    }
}

impl<W> Drop for FairThreads<W> {
    fn drop(&mut self) {
        self.queue.0.lock().is_closed = true;
        self.queue.0.changed.notify_all();
    }
}

impl<W> Clone for WorkQueue<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W> WorkQueue<W> {
    /// Queues work under `key`.
    pub(crate) fn push(&self, key: ShareKey, work: W) -> Result<Ticket, PushError> {
        self.change(|queue| queue.push(key, work).map_err(PushError::Refused))
    }

    /// Queues work that goes on from work that was queued before, whatever the rule says.
    pub(crate) fn put_back(&self, ticket: Ticket, work: W) -> Result<(), PushError> {
        self.change(|queue| {
            queue.put_back(ticket, work);
            Ok(())
        })
    }

    /// Takes work out of the queue, if it waits there.
    pub(crate) fn remove(&self, ticket: Ticket) -> Option<W> {
        self.0.lock().queue.remove(ticket)
    }

    fn change<T>(&self, change: impl FnOnce(&mut FairQueue<W>) -> Result<T, PushError>) -> Result<T, PushError> {
        let mut state = self.0.lock();
        if state.is_closed {
            return Err(PushError::Closed);
        }
        let changed = change(&mut state.queue)?;
        drop(state);
        self.0.changed.notify_one();
        Ok(changed)
    }
}

impl<W> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives one turn after another until the pool is closed. Each thread runs this.
    fn work(&self) {
        while let Some((ticket, work)) = self.next() {
            // After a panic the work is dropped, which answers whoever waits for it, and the thread continues.
            let turned = catch_unwind(AssertUnwindSafe(|| (self.turn)(work)));
            let mut state = self.lock();
            state.busy -= 1;
            match turned {
                Ok(Turned::Again(work)) => state.queue.put_back(ticket, work),
                Ok(Turned::Done(finish)) => {
                    drop(state);
                    finish();
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for the next work in turn, and returns it; `None` once the pool is closed.
    fn next(&self) -> Option<(Ticket, W)> {
        let waits = |state: &mut State<W>| !state.is_closed && state.queue.len() == 0;
        let state = self.changed.wait_while(self.lock(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            // Dropping the work tells those who wait for it that no answer will come.
            state.queue.clear();
            return None;
        }
        let next = state.queue.pop()?;
        state.busy += 1;
        Some(next)
    }
}
