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

/// All provider attempts of one request. Accounting and the request log read them when the request ends. A job is
/// forwarded once, or in pieces side by side: each forwarding writes an [`AttemptLog`] of its own.
#[derive(Clone, Default)]
pub struct Attempts(Arc<Mutex<Vec<ForwardState>>>);

/// The state of one forwarding.
#[derive(Default)]
struct ForwardState {
    attempts: u32,
    /// The target of the last attempt.
    target: Option<AttemptTarget>,
    upload: UploadFlag,
    /// True from the start of an attempt until its provider fails.
    is_open: bool,
    /// True if a provider had the whole recording when the client's own deadline passed.
    is_abandoned: bool,
    progress: Progress,
}

/// The progress of a forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Progress {
    #[default]
    Underway,
    /// No other attempt follows.
    Finished,
    Withdrawn,
}

/// The target of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptTarget {
    /// The entry of the model that does the work. Its price is charged.
    pub model: Arc<Model>,
    /// The provider.
    pub provider: String,
    /// The name of the key, if the provider has several.
    pub key: Option<String>,
}

impl Attempts {
    /// Opens the log of another forwarding.
    pub fn begin_forwarding(&self) -> AttemptLog {
        let mut forwardings = self.lock();
        forwardings.push(ForwardState::default());
        AttemptLog { attempts: self.clone(), index: forwardings.len() - 1 }
    }

    /// Cancels every forwarding. The upload of an attempt in progress is incomplete and stays so, and that attempt does
    /// not count.
    pub fn withdraw(&self) {
        for forwarding in self.lock().iter_mut() {
            forwarding.attempts = forwarding.attempts.saturating_sub(u32::from(forwarding.is_open));
            forwarding.upload = UploadFlag::default();
            (forwarding.is_open, forwarding.progress) = (false, Progress::Withdrawn);
        }
    }

    /// Returns true if a provider has the whole recording and may be working on it.
    pub fn have_recording(&self) -> bool {
        self.lock().iter().any(|forwarding| forwarding.upload.is_set())
    }

    /// Returns true if a provider had the whole recording when the client's own deadline passed, and may have done the
    /// work.
    pub fn abandoned_by_client(&self) -> bool {
        self.lock().iter().any(|forwarding| forwarding.is_abandoned)
    }

    /// Returns the target of the last attempt, if there was one.
    pub fn last_target(&self) -> Option<AttemptTarget> {
        self.lock().iter().rev().find_map(|forwarding| forwarding.target.clone())
    }

    /// Returns the number of attempts.
    pub fn count(&self) -> u32 {
        self.lock().iter().map(|forwarding| forwarding.attempts).sum()
    }

    /// Returns true if all attempts are over: the last target has served the request, or was the last to fail.
    pub fn are_over(&self) -> bool {
        let forwardings = self.lock();
        let mut current = forwardings.iter().filter(|forwarding| forwarding.progress != Progress::Withdrawn).peekable();
        current.peek().is_some() && current.all(|forwarding| forwarding.progress == Progress::Finished)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ForwardState>> {
        // A panic under the lock cannot leave a partial change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// The log of one forwarding: one attempt after another.
#[derive(Debug, Clone)]
pub struct AttemptLog {
    attempts: Attempts,
    index: usize,
}

impl AttemptLog {
    /// Records the start of an attempt.
    pub(crate) fn begin_attempt(&self, target: AttemptTarget) -> AttemptEntry {
        let upload = UploadFlag::default();
        self.change(|forwarding| {
            forwarding.attempts = forwarding.attempts.saturating_add(1);
            (forwarding.target, forwarding.is_open) = (Some(target), true);
            forwarding.upload = upload.clone();
        });
        AttemptEntry { log: self.clone(), upload }
    }

    /// Records that no other attempt follows.
    pub(crate) fn finish(&self) {
        self.change(|forwarding| forwarding.progress = Progress::Finished);
    }

    fn change(&self, change: impl FnOnce(&mut ForwardState)) {
        if let Some(forwarding) = self.attempts.lock().get_mut(self.index) {
            change(forwarding);
        }
    }
}

/// The entry of one attempt. If it is dropped without a failure, the attempt counts, and its provider keeps what it has
/// received.
#[derive(Debug)]
pub(crate) struct AttemptEntry {
    log: AttemptLog,
    upload: UploadFlag,
}

/// The reason why an attempt failed, for accounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptFailure {
    /// The provider failed or refused.
    Provider,
    /// The client's own deadline passed. If the provider already has the whole recording, the request is charged.
    ClientDeadline,
    /// The recording could not be read. That is not the provider's failure, so the attempt stays open: if the forwarding
    /// is withdrawn next, the attempt does not count.
    Recording,
}

impl AttemptEntry {
    /// Returns the flag of the upload.
    pub(crate) fn upload(&self) -> UploadFlag {
        self.upload.clone()
    }

    /// Restarts the upload to the same provider, which cannot have received the first one.
    pub(crate) fn restart_upload(&mut self) -> UploadFlag {
        self.upload = UploadFlag::default();
        self.log.change(|forwarding| forwarding.upload = self.upload.clone());
        self.upload()
    }

    /// Records that the attempt failed, so that no charge is due for its upload.
    pub(crate) fn fail(self, failure: AttemptFailure) {
        self.log.change(|forwarding| {
            if failure == AttemptFailure::ClientDeadline {
                forwarding.is_abandoned = self.upload.is_set();
            }
            if failure != AttemptFailure::Recording {
                forwarding.is_open = false;
            }
            forwarding.upload = UploadFlag::default();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> AttemptTarget {
        AttemptTarget { model: Arc::new(Model::unknown("m")), provider: "p".to_owned(), key: None }
    }

    #[test]
    fn only_the_last_upload_says_whether_a_provider_has_the_recording() {
        let attempts = Attempts::default();
        let log = attempts.begin_forwarding();
        let first = log.begin_attempt(target());
        let first_upload = first.upload();
        first_upload.set();
        assert!(attempts.have_recording());
        first.fail(AttemptFailure::Provider);
        assert!(!attempts.have_recording());
        let mut second = log.begin_attempt(target());
        // The upload of an abandoned attempt may still be read to its end.
        first_upload.set();
        assert!(!attempts.have_recording());
        second.upload().set();
        assert_eq!((attempts.have_recording(), attempts.count()), (true, 2));
        second.restart_upload();
        assert_eq!((attempts.have_recording(), attempts.count()), (false, 2));
    }

    #[test]
    fn a_withdrawn_forwarding_counts_only_what_providers_have_failed() {
        let attempts = Attempts::default();
        let log = attempts.begin_forwarding();
        log.begin_attempt(target()).fail(AttemptFailure::Provider);
        let open = log.begin_attempt(target());
        open.upload().set();
        attempts.withdraw();
        assert_eq!((attempts.count(), attempts.have_recording(), attempts.are_over()), (1, false, false));
        let log = attempts.begin_forwarding();
        drop(log.begin_attempt(target()));
        assert!(!attempts.are_over());
        log.finish();
        assert_eq!((attempts.count(), attempts.are_over()), (2, true));
    }

    #[test]
    fn pieces_that_are_forwarded_side_by_side_are_over_when_the_last_one_is() {
        let attempts = Attempts::default();
        let logs = [attempts.begin_forwarding(), attempts.begin_forwarding()];
        let entries = logs.each_ref().map(|log| log.begin_attempt(target()));
        entries[1].upload().set();
        assert_eq!((attempts.count(), attempts.have_recording()), (2, true));
        logs[0].finish();
        assert!(!attempts.are_over());
        logs[1].finish();
        assert!(attempts.are_over());
    }

    #[test]
    fn a_client_leaves_only_a_provider_that_has_the_whole_recording() {
        for has_recording in [false, true] {
            let attempts = Attempts::default();
            let entry = attempts.begin_forwarding().begin_attempt(target());
            if has_recording {
                entry.upload().set();
            }
            entry.fail(AttemptFailure::ClientDeadline);
            assert_eq!((attempts.abandoned_by_client(), attempts.have_recording()), (has_recording, false));
        }
    }
}
