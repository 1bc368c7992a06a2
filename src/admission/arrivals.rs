//! Requests per caller whose bodies are arriving: not yet admitted, but already using memory and spool quota.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Subject;
use crate::limits::Denial;

/// The number of requests that may arrive at a time beyond the caller's limit of requests in flight: earlier requests
/// may end by the time a body is complete, and admission judges it then.
const AHEAD: u32 = 8;

/// The number of requests that arrive for each caller with a limit of requests in flight.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<HashMap<Subject, u32>>);

/// A guard that counts one arriving request until it is dropped.
#[derive(Debug)]
pub struct Arriving(Option<(Arc<Arrivals>, Subject)>);

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of the caller's requests that are arriving.
    pub(super) fn count(&self, subject: &Subject) -> u32 {
        self.lock().get(subject).copied().unwrap_or_default()
    }

    /// Refuses if no other request may arrive for a caller with at most `most` in flight. Counts nothing.
    pub(super) fn look(&self, subject: &Subject, most: Option<NonZeroU32>) -> Result<(), Denial> {
        let is_full = most.is_some_and(|most| self.count(subject) >= most.get().saturating_add(AHEAD));
        if is_full { Err(Denial::Concurrency) } else { Ok(()) }
    }

    /// Counts another arriving request, unless the caller has too many.
    pub(super) fn begin(self: &Arc<Self>, subject: &Subject, most: Option<NonZeroU32>) -> Result<Arriving, Denial> {
        let Some(most) = most else { return Ok(Arriving(None)) };
        let mut here = self.lock();
        let count = here.get(subject).copied().unwrap_or_default();
        if count >= most.get().saturating_add(AHEAD) {
            return Err(Denial::Concurrency);
        }
        here.insert(subject.clone(), count.saturating_add(1));
        Ok(Arriving(Some((Arc::clone(self), subject.clone()))))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let Some((arrivals, subject)) = self.0.take() else { return };
        let mut here = arrivals.lock();
        match here.get_mut(&subject) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                here.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_may_have_few_at_a_time_cannot_begin_many() {
        let arrivals = Arc::new(Arrivals::default());
        let (alice, bob): (Subject, Subject) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let one = NonZeroU32::new(1);
        let mut hers: Vec<_> = (0..=AHEAD).map(|_| arrivals.begin(&alice, one).unwrap()).collect();
        assert_eq!(arrivals.begin(&alice, one).err(), Some(Denial::Concurrency));
        assert_eq!(arrivals.look(&alice, one), Err(Denial::Concurrency));
        assert!(arrivals.begin(&bob, one).is_ok() && arrivals.begin(&alice, None).is_ok());
        hers.pop();
        assert!(arrivals.look(&alice, one).is_ok() && arrivals.begin(&alice, one).is_ok());
        drop(hers);
        assert!(arrivals.lock().is_empty(), "nobody is remembered for nothing");
    }
}
