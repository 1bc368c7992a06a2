//! The state of one forwarding, and what is left of those that are over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::attempt_target::AttemptTarget;
use super::sent_piece::{PieceState, SentPiece};

/// A flag that is set when a provider has the whole recording: when its last byte is passed to the connection. From
/// then on the provider may do the work, even if the client leaves. Each upload has its own flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadFlag(Arc<AtomicBool>);

impl UploadFlag {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state of one forwarding.
#[derive(Default)]
pub(super) struct ForwardState {
    pub(super) attempts: u32,
    /// The target of the last attempt.
    pub(super) target: Option<AttemptTarget>,
    pub(super) upload: UploadFlag,
    /// True from the start of an attempt until its provider fails.
    pub(super) is_open: bool,
    /// True if a provider had the whole recording when the client's own deadline passed.
    pub(super) is_abandoned: bool,
    pub(super) progress: Progress,
    /// The piece that is forwarded; `None` if the recording is forwarded as it is.
    pub(super) piece: Option<PieceState>,
    /// The logs of the forwarding; see [`ForwardState::is_over`].
    pub(super) log: Weak<()>,
}

/// The progress of a forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Progress {
    #[default]
    Underway,
    /// No other attempt follows.
    Finished,
    Withdrawn,
}

impl ForwardState {
    /// Returns true if nothing can change any more: no log of the forwarding is left, and its last upload is complete, or
    /// nobody is left to complete it.
    pub(super) fn is_over(&self) -> bool {
        let is_upload_over = self.upload.is_set() || Arc::strong_count(&self.upload.0) == 1;
        self.log.strong_count() == 0 && is_upload_over
    }

    /// Returns the piece, if it went to a provider.
    pub(super) fn sent_piece(&self) -> Option<SentPiece> {
        let piece = self.piece.filter(|_| self.attempts > 0)?;
        let is_held = self.upload.is_set() || self.is_abandoned;
        Some(piece.sent(self.target.clone()?, is_held))
    }
}

/// What is left of forwardings that are over, without their pieces.
#[derive(Default)]
pub(super) struct PastForwardings {
    pub(super) attempts: u32,
    /// The last target, with the number of the forwarding that had it.
    pub(super) last_target: Option<(u64, AttemptTarget)>,
    pub(super) have_recording: bool,
    pub(super) any_abandoned: bool,
    /// `Underway` if one of them was given up before its last attempt ended; `None` if all were withdrawn.
    pub(super) progress: Option<Progress>,
}

impl PastForwardings {
    /// Adds the forwarding of this number.
    pub(super) fn add(&mut self, number: u64, forwarding: &ForwardState) {
        self.attempts = self.attempts.saturating_add(forwarding.attempts);
        let is_last = self.last_target.as_ref().is_none_or(|(last, _)| *last < number);
        if let Some(target) = forwarding.target.as_ref().filter(|_| is_last) {
            self.last_target = Some((number, target.clone()));
        }
        self.have_recording |= forwarding.upload.is_set();
        self.any_abandoned |= forwarding.is_abandoned;
        self.progress = match forwarding.progress {
            Progress::Underway => Some(Progress::Underway),
            Progress::Finished => self.progress.or(Some(Progress::Finished)),
            Progress::Withdrawn => self.progress,
        };
    }
}
