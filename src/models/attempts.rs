//! The provider attempts of one request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt_target::AttemptTarget;
use super::forwarding::{ForwardState, PastForwardings, Progress, UploadFlag};
use super::sent_piece::{PieceState, SentPiece};
use crate::domain::AudioMs;
use crate::ledger::Report;

/// All provider attempts of one request. Accounting and the request log read them when the request ends. A job is
/// forwarded once, or in pieces side by side: each forwarding writes an [`AttemptLog`] of its own.
#[derive(Clone, Default)]
pub struct Attempts(Arc<Mutex<Forwardings>>);

/// The forwardings of one request.
#[derive(Default)]
struct Forwardings {
    /// The forwardings by number, without those that were taken.
    all: BTreeMap<u64, ForwardState>,
    /// The number of the next forwarding.
    next: u64,
    /// The forwardings that were taken.
    past: PastForwardings,
    /// True once the recording goes on in pieces. Each piece is charged by itself from then on.
    in_pieces: bool,
}

impl Attempts {
    /// Opens the log of another forwarding.
    pub fn begin_forwarding(&self) -> AttemptLog {
        self.begin(None)
    }

    /// Records that the recording goes on in pieces from now on, even if none of it needs to be sent. The request then
    /// costs what its pieces cost.
    pub fn divide(&self) {
        self.lock().in_pieces = true;
    }

    /// Opens the log of another piece, whose provider gets `length` of audio and `text` bytes of text that it may bill.
    /// If the piece is tried again by itself, the same log goes on.
    pub fn begin_piece(&self, length: AudioMs, text: u64) -> AttemptLog {
        self.divide();
        self.begin(Some(PieceState::new(length, text)))
    }

    fn begin(&self, piece: Option<PieceState>) -> AttemptLog {
        let log = Arc::new(());
        let mut forwardings = self.lock();
        let number = forwardings.next;
        forwardings.next = number.saturating_add(1);
        let state = ForwardState { piece, log: Arc::downgrade(&log), ..ForwardState::default() };
        forwardings.all.insert(number, state);
        AttemptLog { attempts: self.clone(), number, _log: log }
    }

    /// Returns the pieces that went to a provider so far, without those that were taken; `None` if the recording goes on as
    /// it is.
    pub fn pieces(&self) -> Option<Vec<SentPiece>> {
        let forwardings = self.lock();
        forwardings.in_pieces.then(|| forwardings.all.values().filter_map(ForwardState::sent_piece).collect())
    }

    /// Takes the pieces that are over: heard, failed, or left to a provider that has them whole, and no log is left that
    /// could change that. Whoever takes them adds them up; what else is known of them, such as the number of attempts, goes
    /// on to count here. So a request of any number of pieces takes no more memory than those that are not over.
    ///
    /// What was taken can no longer be withdrawn.
    pub fn take_finished_pieces(&self) -> Vec<SentPiece> {
        let mut forwardings = self.lock();
        let Forwardings { all, past, in_pieces, .. } = &mut *forwardings;
        if !*in_pieces {
            return Vec::new();
        }
        let over = all.extract_if(.., |_, forwarding| forwarding.is_over());
        let taken = over.filter_map(|(number, forwarding)| {
            past.add(number, &forwarding);
            forwarding.sent_piece()
        });
        taken.collect()
    }

    /// Cancels every forwarding. The upload of an attempt in progress is incomplete and stays so, and that attempt does
    /// not count.
    pub fn withdraw(&self) {
        for forwarding in self.lock().all.values_mut() {
            forwarding.attempts = forwarding.attempts.saturating_sub(u32::from(forwarding.is_open));
            forwarding.upload = UploadFlag::default();
            (forwarding.is_open, forwarding.progress) = (false, Progress::Withdrawn);
        }
    }

    /// Returns true if a provider has the whole recording and may be working on it.
    pub fn have_recording(&self) -> bool {
        let Forwardings { all, past, .. } = &*self.lock();
        past.have_recording || all.values().any(|forwarding| forwarding.upload.is_set())
    }

    /// Returns true if a provider had the whole recording when the client's own deadline passed, and may have done the
    /// work.
    pub fn abandoned_by_client(&self) -> bool {
        let Forwardings { all, past, .. } = &*self.lock();
        past.any_abandoned || all.values().any(|forwarding| forwarding.is_abandoned)
    }

    /// Returns the target of the last attempt, if there was one.
    pub fn last_target(&self) -> Option<AttemptTarget> {
        let Forwardings { all, past, .. } = &*self.lock();
        let last = all.iter().rev().find_map(|(number, forwarding)| Some((*number, forwarding.target.as_ref()?)));
        let past = past.last_target.as_ref().map(|(number, target)| (*number, target));
        let (_, target) = last.into_iter().chain(past).max_by_key(|(number, _)| *number)?;
        Some(target.clone())
    }

    /// Returns the number of attempts.
    pub fn count(&self) -> u32 {
        let Forwardings { all, past, .. } = &*self.lock();
        all.values().fold(past.attempts, |sum, forwarding| sum.saturating_add(forwarding.attempts))
    }

    /// Returns true if all attempts are over: the last target has served the request, or was the last to fail.
    pub fn are_over(&self) -> bool {
        let Forwardings { all, past, .. } = &*self.lock();
        let current = all.values().map(|forwarding| forwarding.progress);
        let mut current = current.chain(past.progress).filter(|progress| *progress != Progress::Withdrawn).peekable();
        current.peek().is_some() && current.all(|progress| progress == Progress::Finished)
    }

    fn lock(&self) -> MutexGuard<'_, Forwardings> {
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
    number: u64,
    /// While there is a clone of this, the forwarding can change.
    _log: Arc<()>,
}

impl AttemptLog {
    /// Records the start of an attempt.
    pub(crate) fn begin_attempt(&self, target: AttemptTarget) -> AttemptEntry {
        let upload = UploadFlag::default();
        self.change(|forwarding| {
            forwarding.attempts = forwarding.attempts.saturating_add(1);
            (forwarding.target, forwarding.is_open) = (Some(target), true);
            forwarding.upload = upload.clone();
            if forwarding.progress == Progress::Finished {
                // The piece failed before, and is tried again by itself.
                (forwarding.progress, forwarding.is_abandoned) = (Progress::Underway, false);
            }
            forwarding.piece = forwarding.piece.map(PieceState::anew);
        });
        AttemptEntry { log: self.clone(), upload }
    }

    /// Records that no other attempt follows.
    pub(crate) fn finish(&self) {
        self.change(|forwarding| forwarding.progress = Progress::Finished);
    }

    /// Records what the provider of a piece reports before its answer is complete.
    pub fn piece_usage(&self, report: Report) {
        self.change_piece(|piece| piece.report(report));
    }

    /// Records that the client has some of the piece's words. They are charged, whatever becomes of the rest.
    pub fn piece_delivered(&self) {
        self.change_piece(PieceState::record_delivery);
    }

    /// Records that the piece was heard: its provider's answer is complete, with this report.
    pub fn piece_transcribed(&self, report: Report) {
        self.change_piece(|piece| piece.record_transcript(report));
    }

    /// Records that the provider's answer for the piece is useless after all, so that no charge is due for the piece,
    /// unless the client has some of its words.
    pub fn piece_failed(&self) {
        self.change(|forwarding| {
            (forwarding.upload, forwarding.is_open) = (UploadFlag::default(), false);
            forwarding.piece = forwarding.piece.map(PieceState::anew);
        });
    }

    fn change_piece(&self, change: impl FnOnce(&mut PieceState)) {
        self.change(|forwarding| {
            if let Some(piece) = &mut forwarding.piece {
                change(piece);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut ForwardState)) {
        if let Some(forwarding) = self.attempts.lock().all.get_mut(&self.number) {
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
mod tests;
