//! How far a request has come with its providers.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Model;

/// Whether a provider has the whole recording: set when its last byte is handed over to the connection. From then on the
/// provider may do the work, whoever still waits for it. Each sending has a flag of its own.
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

/// How far a request has come with its providers. Written by the tries; read, whenever the request ends, by those who
/// charge it and who record it.
#[derive(Clone, Default)]
pub struct AttemptLog(Arc<Mutex<Stage>>);

#[derive(Default)]
struct Stage {
    tries: u32,
    last: Option<AttemptTarget>,
    sent: UploadFlag,
    /// Somebody is being asked.
    trying: bool,
    /// See [`AttemptLog::was_left`].
    left: bool,
    settled: bool,
}

/// Who was asked.
#[derive(Debug, Clone)]
pub struct AttemptTarget {
    /// The row whose model does the work, and whose price is charged.
    pub model: Arc<Model>,
    /// Its provider.
    pub provider: String,
    /// The key's name, where the provider has several.
    pub key: Option<String>,
}

impl AttemptLog {
    /// Somebody is asked.
    pub(crate) fn begin(&self, asked: AttemptTarget) -> UploadFlag {
        let mut stage = self.stage();
        stage.tries = stage.tries.saturating_add(1);
        stage.last = Some(asked);
        stage.trying = true;
        stage.sent = UploadFlag::default();
        stage.sent.clone()
    }

    /// The same is sent the recording again, since nobody can have got it the first time.
    pub(crate) fn begin_anew(&self) -> UploadFlag {
        let mut stage = self.stage();
        stage.sent = UploadFlag::default();
        stage.sent.clone()
    }

    /// Who was asked has failed or refused: nothing is owed for that.
    pub(crate) fn came_to_nothing(&self) {
        self.stage().sent = UploadFlag::default();
    }

    /// Who was asked has failed by itself: the try counts, whatever becomes of the recording.
    pub(crate) fn failed(&self) {
        self.stage().trying = false;
    }

    /// The client waits no longer, by its own word: whoever has the recording is left with it.
    pub(crate) fn leave(&self) {
        let mut stage = self.stage();
        stage.left = stage.sent.is_set();
    }

    /// Who is being asked, if anybody is, has not been given all of the recording and will not be: that try does not count.
    pub fn withdraw(&self) {
        let mut stage = self.stage();
        stage.tries = stage.tries.saturating_sub(u32::from(stage.trying));
        stage.sent = UploadFlag::default();
        (stage.trying, stage.settled) = (false, false);
    }

    /// There will be no other try.
    pub(crate) fn settle(&self) {
        self.stage().settled = true;
    }

    /// Whether somebody has the whole recording and may be at work on it.
    pub fn has_recording(&self) -> bool {
        self.stage().sent.is_set()
    }

    /// Whether somebody had the whole recording when the client's own time was over, and may have done the work.
    pub fn was_left(&self) -> bool {
        self.stage().left
    }

    /// Who was asked last, if anybody was.
    pub fn last(&self) -> Option<AttemptTarget> {
        self.stage().last.clone()
    }

    /// How many times somebody was asked.
    pub fn tries(&self) -> u32 {
        self.stage().tries
    }

    /// Whether all tries have been made: who was asked last is who has served, or failed last.
    pub fn is_settled(&self) -> bool {
        self.stage().settled
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // Every change is whole in itself, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course").field("tries", &self.tries()).finish_non_exhaustive()
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
        // What is left of a try that was given up may still be read to its end.
        first.set();
        assert!(!course.has_recording());
        second.set();
        assert_eq!((course.has_recording(), course.tries()), (true, 2));
        course.begin_anew();
        assert_eq!((course.has_recording(), course.tries()), (false, 2));
    }
}
