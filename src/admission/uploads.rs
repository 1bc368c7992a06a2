//! Requests per caller whose bodies are arriving: not yet admitted, but already using memory and spool quota.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Subject;
use crate::limits::Denial;

/// The number of requests that may arrive at a time beyond the caller's limit of requests in flight: earlier requests
/// may end by the time a body is complete, and admission judges it then.
const MAX_AHEAD: u32 = 8;

/// The number of requests that arrive for each caller with a limit of requests in flight.
#[derive(Debug, Default)]
pub(super) struct UploadsInProgress(Mutex<HashMap<Subject, u32>>);

/// A guard that counts one arriving request until it is dropped.
#[derive(Debug)]
pub struct UploadGuard(Option<(Arc<UploadsInProgress>, Subject)>);

impl UploadsInProgress {
    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of the caller's requests that are arriving.
    pub(super) fn count(&self, subject: &Subject) -> u32 {
        self.lock().get(subject).copied().unwrap_or_default()
    }

    /// Refuses if no other request may arrive for a caller with at most `max` in flight. Counts nothing.
    pub(super) fn check(&self, subject: &Subject, max: Option<NonZeroU32>) -> Result<(), Denial> {
        let is_full = max.is_some_and(|max| self.count(subject) >= max.get().saturating_add(MAX_AHEAD));
        if is_full { Err(Denial::Concurrency) } else { Ok(()) }
    }

    /// Counts another arriving request, unless the caller has too many.
    pub(super) fn start(self: &Arc<Self>, subject: &Subject, max: Option<NonZeroU32>) -> Result<UploadGuard, Denial> {
        let Some(max) = max else { return Ok(UploadGuard(None)) };
        let mut counts = self.lock();
        let count = counts.get(subject).copied().unwrap_or_default();
        if count >= max.get().saturating_add(MAX_AHEAD) {
            return Err(Denial::Concurrency);
        }
        counts.insert(subject.clone(), count.saturating_add(1));
        Ok(UploadGuard(Some((Arc::clone(self), subject.clone()))))
    }
}

impl Drop for UploadGuard {
    fn drop(&mut self) {
        let Some((uploads, subject)) = self.0.take() else { return };
        let mut counts = uploads.lock();
        match counts.get_mut(&subject) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_may_have_few_at_a_time_cannot_begin_many() {
        let uploads = Arc::new(UploadsInProgress::default());
        let (alice, bob): (Subject, Subject) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let one = NonZeroU32::new(1);
        let mut hers: Vec<_> = (0..=MAX_AHEAD).map(|_| uploads.start(&alice, one).unwrap()).collect();
        assert_eq!(uploads.start(&alice, one).err(), Some(Denial::Concurrency));
        assert_eq!(uploads.check(&alice, one), Err(Denial::Concurrency));
        assert!(uploads.start(&bob, one).is_ok() && uploads.start(&alice, None).is_ok());
        hers.pop();
        assert!(uploads.check(&alice, one).is_ok() && uploads.start(&alice, one).is_ok());
        drop(hers);
        assert!(uploads.lock().is_empty(), "nobody is remembered for nothing");
    }
}
