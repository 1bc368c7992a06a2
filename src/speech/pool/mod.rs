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

use std::io;
use std::num::NonZeroUsize;

use tokio::sync::oneshot;

use super::error::SpeechError;
use crate::fair_share::{FairThreads, PushError, ShareKey, ThreadsLoad, Ticket, Turned, WorkQueue};
pub(super) use turn::Turn;

/// The maximum number of recordings that wait for a thread.
const MAX_QUEUED: u64 = 1024;

/// The threads that decode, cut and encode sound, and their queue. Dropping the pool ends the threads.
#[derive(Debug)]
pub struct SpeechPool(FairThreads<Work>);

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
        FairThreads::new("speech", threads, max_queued, take_turn).map(Self)
    }

    /// Creates a pool of one thread in which this many recordings may wait.
    #[cfg(test)]
    pub(super) fn with_places(max_queued: u64) -> Self {
        Self::with(1, max_queued).unwrap()
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
        let queue = self.0.queue().clone();
        let ticket = match place {
            Place::New(key) => queue.push(key, work)?,
            Place::Had(ticket) => queue.put_back(ticket, work).map(|()| ticket)?,
        };
        Ok(Running { queue, ticket, answered })
    }

    /// Returns the current load.
    pub fn load(&self) -> ThreadsLoad {
        self.0.load()
    }
}

/// Works for one turn.
fn take_turn(mut work: Work) -> Turned<Work> {
    if work(&Turn::begin()) { Turned::Done(Box::new(|| ())) } else { Turned::Again(work) }
}

impl From<PushError> for SpeechError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Refused(refused) => Self::NoTurn(refused),
            PushError::Closed => Self::BrokeOff,
        }
    }
}

/// Work in a [`SpeechPool`]. Dropping it takes the work out of the queue, or ends it with its current turn.
pub(super) struct Running<T> {
    queue: WorkQueue<Work>,
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
        // Work that waits may hold the last handle of a file. It is dropped outside the queue's lock.
        drop(self.queue.remove(self.ticket));
    }
}
