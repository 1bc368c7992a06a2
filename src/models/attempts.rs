//! The provider attempts of one request.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Model;

/// A flag that is set when a provider has the whole recording: when its last byte is passed to the connection. From
/// then on the provider may do the work, even if the client leaves. Each upload has its own flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadFlag(Arc<AtomicBool>);

impl UploadFlag {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state of a request's provider attempts. The attempts write it; accounting and the request log read it when the
/// request ends.
#[derive(Clone, Default)]
pub struct AttemptLog(Arc<Mutex<Stage>>);

#[derive(Default)]
struct Stage {
    tries: u32,
    last: Option<AttemptTarget>,
    sent: UploadFlag,
    /// True while an attempt is in progress.
    trying: bool,
    /// See [`AttemptLog::was_left`].
    left: bool,
    settled: bool,
}

/// The target of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptTarget {
    /// The model entry of the model that does the work; its price is charged.
    pub model: Arc<Model>,
    /// The provider.
    pub provider: String,
    /// The name of the key, if the provider has several.
    pub key: Option<String>,
}

impl AttemptLog {
    /// Records the start of an attempt.
    pub(crate) fn begin(&self, asked: AttemptTarget) -> UploadFlag {
        let mut stage = self.stage();
        stage.tries = stage.tries.saturating_add(1);
        stage.last = Some(asked);
        stage.trying = true;
        stage.sent = UploadFlag::default();
        stage.sent.clone()
    }

    /// Restarts the upload to the same provider, which cannot have received the first one.
    pub(crate) fn begin_anew(&self) -> UploadFlag {
        let mut stage = self.stage();
        stage.sent = UploadFlag::default();
        stage.sent.clone()
    }

    /// Records that the provider failed or refused, so that no charge is due for this upload.
    pub(crate) fn came_to_nothing(&self) {
        self.stage().sent = UploadFlag::default();
    }

    /// Records the provider's own failure: the attempt counts, even if the upload is discarded.
    pub(crate) fn failed(&self) {
        self.stage().trying = false;
    }

    /// Records that the client's own deadline passed. If the provider already has the whole upload, the request is
    /// charged.
    pub(crate) fn leave(&self) {
        let mut stage = self.stage();
        stage.left = stage.sent.is_set();
    }

    /// Cancels the attempt in progress, if there is one: its upload is incomplete and stays so, and the attempt does
    /// not count.
    pub fn withdraw(&self) {
        let mut stage = self.stage();
        stage.tries = stage.tries.saturating_sub(u32::from(stage.trying));
        stage.sent = UploadFlag::default();
        (stage.trying, stage.settled) = (false, false);
    }

    /// Records that no other attempt follows.
    pub(crate) fn settle(&self) {
        self.stage().settled = true;
    }

    /// Returns true if a provider has the whole recording and may be working on it.
    pub fn has_recording(&self) -> bool {
        self.stage().sent.is_set()
    }

    /// Returns true if a provider had the whole recording when the client's own deadline passed, and may have done the
    /// work.
    pub fn was_left(&self) -> bool {
        self.stage().left
    }

    /// Returns the target of the last attempt, if there was one.
    pub fn last(&self) -> Option<AttemptTarget> {
        self.stage().last.clone()
    }

    /// Returns the number of attempts.
    pub fn tries(&self) -> u32 {
        self.stage().tries
    }

    /// Returns true if all attempts are over: the last target has served the request, or was the last to fail.
    pub fn is_settled(&self) -> bool {
        self.stage().settled
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // A panic under the lock cannot leave a partial change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptLog").field("tries", &self.tries()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_sending_says_whether_somebody_has_the_recording() {
        let course = AttemptLog::default();
        let asked = AttemptTarget { model: Arc::new(Model::unknown("m")), provider: "p".to_owned(), key: None };
        let first = course.begin(asked.clone());
        first.set();
        assert!(course.has_recording());
        course.came_to_nothing();
        assert!(!course.has_recording());
        let second = course.begin(asked);
        // The upload of an abandoned attempt may still be read to its end.
        first.set();
        assert!(!course.has_recording());
        second.set();
        assert_eq!((course.has_recording(), course.tries()), (true, 2));
        course.begin_anew();
        assert_eq!((course.has_recording(), course.tries()), (false, 2));
    }
}
