//! How many requests with audio are in flight at once, and the short queue before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::ApiError;
use super::files;
use crate::config;

/// The places of a gateway.
pub(super) struct Places {
    free: Arc<Semaphore>,
    most: usize,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
}

/// A request's place, until it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Every place is taken, and so is every one in the queue, or none became free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded;

impl Places {
    /// As many as are set, or as files may be open for.
    pub(super) fn new(settings: &config::Server) -> Self {
        let most = files::in_flight(settings.max_in_flight).min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            waiting: AtomicUsize::new(0),
            most_waiting: settings.max_queue,
            patience: settings.queue_timeout,
        }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.most.saturating_sub(self.free.available_permits())
    }

    /// How many there are.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many requests wait for one, and how many may.
    pub(super) fn queue(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::Relaxed), self.most_waiting)
    }

    /// Whether there is any use in waiting for a place.
    pub(super) fn look(&self) -> Result<(), Overloaded> {
        let queue_is_full = self.waiting.load(Ordering::Relaxed) >= self.most_waiting;
        if self.free.available_permits() == 0 && queue_is_full { Err(Overloaded) } else { Ok(()) }
    }

    /// A place, at once or after a short wait.
    pub(super) async fn take(&self) -> Result<Place, Overloaded> {
        let free = || Arc::clone(&self.free);
        if let Ok(permit) = free().try_acquire_owned() {
            return Ok(Place { _permit: permit });
        }
        let _waiting = Waiting::join(self)?;
        match timeout(self.patience, free().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            _ => Err(Overloaded),
        }
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(places: &'a Places) -> Result<Self, Overloaded> {
        let joined = places.waiting.try_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < places.most_waiting).then_some(waiting + 1)
        });
        joined.map(|_| Self(&places.waiting)).map_err(|_| Overloaded)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<Overloaded> for ApiError {
    fn from(Overloaded: Overloaded) -> Self {
        Self::overloaded("The gateway has as many requests in flight as it may have. Try again soon.")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn places(free: usize, queue: usize) -> Places {
        Places {
            free: Arc::new(Semaphore::new(free)),
            most: free,
            waiting: AtomicUsize::new(0),
            most_waiting: queue,
            patience: Duration::from_secs(1),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place_and_whoever_finds_the_queue_full_does_not_wait() {
        let places = places(1, 1);
        let first = places.take().await.ok().unwrap();
        assert_eq!(places.look(), Ok(()), "there is room in the queue");
        let mut second = Box::pin(places.take());
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(places.look(), Err(Overloaded));
        assert_eq!(places.take().now_or_never().and_then(Result::err), Some(Overloaded));
        drop(first);
        let second = second.await.ok().unwrap();
        assert_eq!(places.look(), Ok(()), "the queue is empty");
        drop(second);
        assert!(places.take().now_or_never().is_some_and(|place| place.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_goes_leaves_the_queue() {
        let places = places(1, 1);
        let first = places.take().await.ok().unwrap();
        assert_eq!(places.take().await.err(), Some(Overloaded));
        assert_eq!(places.look(), Ok(()));
        assert!(places.take().now_or_never().is_none(), "it waits, and goes");
        assert_eq!(places.look(), Ok(()));
        drop(first);
        assert!(places.take().now_or_never().is_some_and(|place| place.is_ok()));
    }
}
