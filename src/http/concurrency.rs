//! The limit on requests with audio in flight, and the short queue before it.
//!
//! Callers share the places, and those of the queue, by the rule of [`fair_share`](crate::fair_share). A free place
//! goes to the waiting caller that holds the fewest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::ApiError;
use crate::config;
use crate::fair_share::{Refused, ShareKey, Shares};

/// The places for requests in flight, and the queue for them.
pub(super) struct ConcurrencyLimit {
    shared: Arc<Shared>,
    queue_timeout: Duration,
}

/// The number of places or of waiting requests, and its maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occupancy {
    pub(super) held: u64,
    pub(super) capacity: u64,
}

impl Occupancy {
    fn of(shares: &Shares) -> Self {
        Self { held: shares.held(), capacity: shares.capacity() }
    }
}

/// A place that one request holds; dropping it frees the place.
pub(super) struct InFlightGuard {
    shared: Arc<Shared>,
    key: ShareKey,
}

/// The refusal of a request: this caller can have neither a place nor a wait in the queue, or no place became free in
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded(Refused);

struct Shared(Mutex<State>);

struct State {
    places: Shares,
    queue: Shares,
    /// The waiting requests, oldest first.
    waiting: VecDeque<Entry>,
    next_id: u64,
}

/// A request that waits for a place.
struct Entry {
    id: u64,
    key: ShareKey,
    grant: oneshot::Sender<InFlightGuard>,
}

/// The outcome of a request for a place.
enum Requested<'a> {
    Granted(InFlightGuard),
    Queued(QueueSlot<'a>),
}

impl ConcurrencyLimit {
    /// Creates the limit with `max_in_flight` places, and the queue of the settings.
    pub(super) fn new(settings: &config::Server, max_in_flight: usize) -> Self {
        Self::with_capacity(max_in_flight, settings.max_queue, settings.queue_timeout)
    }

    fn with_capacity(places: usize, queue: usize, queue_timeout: Duration) -> Self {
        let shares = |count: usize| Shares::new(u64::try_from(count).unwrap_or(u64::MAX));
        let state = State { places: shares(places), queue: shares(queue), waiting: VecDeque::new(), next_id: 0 };
        Self { shared: Arc::new(Shared(Mutex::new(state))), queue_timeout }
    }

    /// Returns the places of requests in flight.
    pub(super) fn in_flight(&self) -> Occupancy {
        Occupancy::of(&self.shared.lock().places)
    }

    /// Returns the places in the queue.
    pub(super) fn queue(&self) -> Occupancy {
        Occupancy::of(&self.shared.lock().queue)
    }

    /// Returns an error if the caller can have neither a place nor a wait in the queue.
    pub(super) fn check(&self, key: ShareKey) -> Result<(), Overloaded> {
        let state = self.shared.lock();
        let checked = state.places.check(key, 1);
        checked.or_else(|refused| state.queue.check(key, 1).map_err(|_| Overloaded(refused)))
    }

    /// Acquires a place, at once or after a short wait.
    pub(super) async fn acquire(&self, key: ShareKey) -> Result<InFlightGuard, Overloaded> {
        let mut slot = match self.shared.request(key)? {
            Requested::Granted(place) => return Ok(place),
            Requested::Queued(slot) => slot,
        };
        match timeout(self.queue_timeout, &mut slot.granted).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Overloaded(slot.refused)),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(self: &Arc<Self>, key: ShareKey) -> Result<Requested<'_>, Overloaded> {
        let mut state = self.lock();
        let refused = match state.places.take(key, 1) {
            Ok(()) => return Ok(Requested::Granted(InFlightGuard { shared: Arc::clone(self), key })),
            Err(refused) => refused,
        };
        state.queue.take(key, 1).map_err(|_| Overloaded(refused))?;
        let (id, (grant, granted)) = (state.next_id, oneshot::channel());
        state.next_id += 1;
        state.waiting.push_back(Entry { id, key, grant });
        Ok(Requested::Queued(QueueSlot { shared: self, id, refused, granted }))
    }

    /// Frees a place and grants all available places to waiting requests.
    fn free(self: &Arc<Self>, key: ShareKey) {
        let mut granted = Vec::new();
        {
            let mut state = self.lock();
            state.places.give_back(key, 1);
            while let Some(entry) = state.next() {
                granted.push((entry.grant, InFlightGuard { shared: Arc::clone(self), key: entry.key }));
            }
        }
        // Send after unlocking: if the request is gone, dropping its place calls `free` again.
        for (grant, place) in granted {
            let _ = grant.send(place);
        }
    }
}

impl State {
    /// Removes the next request that may have a place from the queue, and takes the place for it.
    fn next(&mut self) -> Option<Entry> {
        let may_enter = |(_, entry): &(usize, &Entry)| self.places.check(entry.key, 1).is_ok();
        let entries = self.waiting.iter().enumerate().filter(may_enter);
        let (index, _) = entries.min_by_key(|(index, entry)| (self.places.held_by(entry.key), *index))?;
        let entry = self.waiting.remove(index)?;
        self.queue.give_back(entry.key, 1);
        // `check` has just allowed this.
        self.places.take(entry.key, 1).ok().map(|()| entry)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.shared.free(self.key);
    }
}

/// A request in the queue, until it has a place or is dropped.
struct QueueSlot<'a> {
    shared: &'a Arc<Shared>,
    id: u64,
    /// The reason why no place was free at first.
    refused: Refused,
    granted: oneshot::Receiver<InFlightGuard>,
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(index) = state.waiting.iter().position(|entry| entry.id == self.id)
            && let Some(entry) = state.waiting.remove(index)
        {
            state.queue.give_back(entry.key, 1);
        }
    }
}

impl From<Overloaded> for ApiError {
    fn from(Overloaded(refused): Overloaded) -> Self {
        Self::overloaded(match refused {
            Refused::Exhausted => "The gateway has as many requests in flight as it may have. Try again soon.",
            Refused::OverShare => {
                "You have as many requests in flight as the gateway has room for from one caller. Try again soon."
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn places(free: usize, queue: usize) -> ConcurrencyLimit {
        ConcurrencyLimit::with_capacity(free, queue, Duration::from_secs(1))
    }

    fn of(held: u64, capacity: u64) -> Occupancy {
        Occupancy { held, capacity }
    }

    fn alice() -> ShareKey {
        ShareKey::of_caller("alice")
    }

    fn bob() -> ShareKey {
        ShareKey::of_caller("bob")
    }

    const FULL: Overloaded = Overloaded(Refused::Exhausted);
    const OVER: Overloaded = Overloaded(Refused::OverShare);

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place_and_whoever_finds_the_queue_full_does_not_wait() {
        let places = places(1, 1);
        let first = places.acquire(alice()).await.ok().unwrap();
        assert_eq!(places.check(alice()), Ok(()), "there is room in the queue");
        let mut second = Box::pin(places.acquire(alice()));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(places.check(alice()), Err(FULL));
        assert_eq!(places.acquire(alice()).now_or_never().and_then(Result::err), Some(FULL));
        assert_eq!((places.in_flight(), places.queue()), (of(1, 1), of(1, 1)));
        drop(first);
        let second = second.await.ok().unwrap();
        assert_eq!(places.check(alice()), Ok(()), "the queue is empty");
        drop(second);
        assert!(places.acquire(alice()).now_or_never().is_some_and(|place| place.is_ok()));
        assert_eq!((places.in_flight(), places.queue()), (of(0, 1), of(0, 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_goes_leaves_the_queue() {
        let places = places(1, 1);
        let first = places.acquire(alice()).await.ok().unwrap();
        assert_eq!(places.acquire(alice()).await.err(), Some(FULL));
        assert_eq!(places.check(alice()), Ok(()));
        assert!(places.acquire(alice()).now_or_never().is_none(), "it waits, and goes");
        assert_eq!(places.check(alice()), Ok(()));
        drop(first);
        assert!(places.acquire(alice()).now_or_never().is_some_and(|place| place.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_given_to_a_request_that_has_gone_is_free_again() {
        let places = places(1, 2);
        let first = places.acquire(alice()).await.ok().unwrap();
        let mut gone = Box::pin(places.acquire(alice()));
        let mut next = Box::pin(places.acquire(bob()));
        assert!(gone.as_mut().now_or_never().is_none() && next.as_mut().now_or_never().is_none());
        drop(first);
        // The dropped request already holds the place, though it never received it.
        drop(gone);
        let next = next.now_or_never().unwrap().ok().unwrap();
        drop(next);
        assert_eq!((places.in_flight(), places.queue()), (of(0, 1), of(0, 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_leaves_places_and_the_queue_to_others() {
        let places = places(10, 10);
        let mut hers = Vec::new();
        while let Some(place) = places.acquire(alice()).now_or_never() {
            hers.push(place.ok().unwrap());
        }
        assert_eq!(hers.len(), 8);
        let mut waiting = Vec::new();
        while places.check(alice()).is_ok() {
            let mut waits = Box::pin(places.acquire(alice()));
            assert!(waits.as_mut().now_or_never().is_none());
            waiting.push(waits);
        }
        assert_eq!((waiting.len(), places.check(alice())), (8, Err(OVER)));
        let his: Vec<_> = (0..2).map(|_| places.acquire(bob()).now_or_never().unwrap().ok().unwrap()).collect();
        let mut third = Box::pin(places.acquire(bob()));
        assert!(third.as_mut().now_or_never().is_none(), "there is none left, and he may wait");
        // Bob came last, and holds fewer places.
        hers.pop();
        assert!(third.now_or_never().is_some_and(|place| place.is_ok()));
        hers.pop();
        assert!(waiting.iter_mut().all(|waits| waits.as_mut().now_or_never().is_none()), "she has more than her share");
        drop((his, hers));
        assert_eq!(waiting.into_iter().filter_map(FutureExt::now_or_never).flatten().count(), 8);
        assert_eq!((places.in_flight(), places.queue()), (of(0, 10), of(0, 10)));
    }
}
