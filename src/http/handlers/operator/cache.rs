//! The usage that the operator's page last read from the store. However often it is asked for, the store is read once in a while, and
//! once for all who ask at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::domain::{Month, UnixMs};
use crate::ledger::{Entry, Totals};
use crate::store::StoreError;

/// The time for which an answer of the store is kept.
const KEEP: Duration = Duration::from_secs(30);
/// The time for which a failure is kept.
const KEEP_FAILURE: Duration = Duration::from_secs(2);
/// The maximum number of answers that are kept: more than the months that the page offers.
const MAX_KEPT: usize = 16;

/// The readings of the operator's page.
#[derive(Debug, Default)]
pub(in crate::http) struct OperatorCache {
    /// The sums, by month.
    pub(super) totals: Cache<Month, Totals>,
    /// The last requests.
    pub(super) recent: Cache<(), Vec<Entry>>,
}

/// An answer of the store, and the time of the reading.
#[derive(Debug)]
pub(super) struct Reading<T> {
    pub(super) at: UnixMs,
    pub(super) value: Arc<T>,
}

/// The readings of one kind.
#[derive(Debug)]
pub(super) struct Cache<K, T>(Mutex<BTreeMap<K, Arc<Slot<T>>>>);

/// The place of one reading, locked while the store is read: so there is one reading of each key under way.
type Slot<T> = AsyncMutex<Option<Kept<T>>>;

impl<K, T> Default for Cache<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Debug)]
struct Kept<T> {
    until: Instant,
    result: Result<Reading<T>, StoreError>,
}

impl<T> Clone for Reading<T> {
    fn clone(&self) -> Self {
        Self { at: self.at, value: Arc::clone(&self.value) }
    }
}

impl<K: Ord + Copy, T> Cache<K, T> {
    /// Returns what was read of `key` a short time ago, or reads it. The others who ask wait for the same reading.
    pub(super) async fn get(
        &self,
        key: K,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Reading<T>, StoreError> {
        let slot = self.slot(key);
        let mut kept = slot.lock().await;
        let now = Instant::now();
        if let Some(reading) = kept.as_ref().filter(|reading| reading.until > now) {
            return reading.result.clone();
        }
        let at = UnixMs::now();
        let result = read.await.map(|value| Reading { at, value: Arc::new(value) });
        let until = Instant::now() + if result.is_ok() { KEEP } else { KEEP_FAILURE };
        *kept = Some(Kept { until, result: result.clone() });
        result
    }

    /// Returns the place of a key. Beyond the limit, those that nobody waits for are given up.
    fn slot(&self, key: K) -> Arc<Slot<T>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_KEPT && !slots.contains_key(&key) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;
    use tokio::task::yield_now;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_and_soon_after_cause_one_reading() {
        let (cache, reads) = (Cache::<u8, u32>::default(), Cell::new(0));
        let get = |key: u8| {
            cache.get(key, async {
                yield_now().await;
                reads.set(reads.get() + 1);
                Ok(reads.get())
            })
        };
        let values = async |keys: &[u8]| -> Vec<u32> {
            join_all(keys.iter().map(|key| get(*key))).await.into_iter().map(|one| *one.unwrap().value).collect()
        };
        assert_eq!(values(&[1; 20]).await, [1; 20]);
        advance(KEEP.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(values(&[1, 2, 1]).await, [1, 2, 1]);
        advance(Duration::from_millis(1)).await;
        assert_eq!(values(&[1, 2]).await, [3, 2], "the first is old");
        for key in 0..100 {
            values(&[key]).await;
        }
        assert!(cache.0.lock().unwrap().len() <= MAX_KEPT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reading_holds_up_nobody_who_asks_for_another() {
        let cache = Cache::<u8, u32>::default();
        let slow = cache.get(1, std::future::pending());
        let other = tokio::time::timeout(KEEP, async { cache.get(2, async { Ok(7) }).await.unwrap() });
        let (slow, other) = tokio::join!(tokio::time::timeout(KEEP, slow), other);
        assert_eq!((slow.is_err(), *other.unwrap().value), (true, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_kept_for_a_shorter_time_and_a_reading_that_was_given_up_is_not() {
        let cache = Cache::<(), u32>::default();
        let failed = cache.get((), async { Err(StoreError::Timeout) }).await;
        assert!(matches!(failed, Err(StoreError::Timeout)));
        let get = async || cache.get((), async { Ok(7) }).await;
        assert!(get().await.is_err());
        advance(KEEP_FAILURE).await;
        assert!(tokio::time::timeout(Duration::ZERO, cache.get((), std::future::pending())).await.is_err());
        assert_eq!(*get().await.unwrap().value, 7);
    }
}
