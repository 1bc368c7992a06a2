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

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::oneshot;

use super::IntakeError;
use super::media::{self, MediaError, MediaInfo};
use super::spool::{Spool, SpoolSource};
use crate::fair_share::{FairThreads, PushError, ShareKey, ThreadsLoad, Ticket, Turned, WorkQueue};

/// The maximum number of recordings that wait for a thread. Their bytes are in the spool, which has its own bound; an
/// entry here takes a few hundred bytes.
const MAX_QUEUED: u64 = 1024;

type Measured = Result<MediaInfo, MediaError>;

/// The threads that measure recordings, and their queue. Dropping the pool ends the threads.
#[derive(Debug)]
pub struct MeasuringPool(FairThreads<Recording>);

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
        let turn = move |Recording { source, bytes, answer }| {
            let measured = measure(source, bytes);
            // The receiver is gone if the client has gone.
            Turned::Done(Box::new(move || drop(answer.send(measured))))
        };
        FairThreads::new("measuring", threads, max_queued, turn).map(Self)
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
        let queue = self.0.queue();
        let ticket = queue.push(key, Recording { source, bytes, answer })?;
        let _waiting = Waiting { queue, ticket, cancelled };
        let measured = answered.await.map_err(|_| io::Error::other("the measuring of a recording broke off"))?;
        Ok(measured?)
    }

    /// Returns the current load.
    pub fn load(&self) -> ThreadsLoad {
        self.0.load()
    }
}

impl From<PushError> for IntakeError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Refused(refused) => Self::NoTurn(refused),
            PushError::Closed => Self::from(io::Error::other("the gateway measures no recordings any more")),
        }
    }
}

/// A request that waits for its recording to be measured. Dropping it removes the recording from the queue.
struct Waiting<'a> {
    queue: &'a WorkQueue<Recording>,
    ticket: Ticket,
    cancelled: Arc<AtomicBool>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // A recording that waits may hold the last handle of a file. It is dropped outside the queue's lock.
        drop(self.queue.remove(self.ticket));
    }
}
