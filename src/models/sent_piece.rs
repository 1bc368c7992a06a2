//! A piece of a recording, for accounting.

use super::attempt_target::AttemptTarget;
use crate::domain::AudioMs;
use crate::ledger::Report;

/// The state of a piece that is forwarded.
#[derive(Debug, Clone, Copy)]
pub(super) struct PieceState {
    length: AudioMs,
    text: u64,
    report: Report,
    is_transcribed: bool,
    /// True once the client has some of its words, whatever becomes of the rest.
    is_delivered: bool,
}

/// A piece that went to a provider.
#[derive(Debug, Clone)]
pub struct SentPiece {
    /// The audio that the provider got: the piece, and the samples of known speakers.
    pub length: AudioMs,
    /// The number of bytes of text that the provider may bill.
    pub text: u64,
    /// The target of the last attempt.
    pub target: AttemptTarget,
    /// The report of the last attempt.
    pub report: Report,
    /// The progress of the work.
    pub progress: PieceProgress,
}

/// The progress of a piece at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceProgress {
    /// Its transcript, or part of it, is there.
    Transcribed,
    /// A provider has the whole piece and may be working on it, or had it when the client's own deadline passed.
    Held,
    /// No provider has the whole piece: each failed, or the upload is incomplete.
    NotHeld,
}

impl PieceState {
    pub(super) fn new(length: AudioMs, text: u64) -> Self {
        Self { length, text, report: Report::default(), is_transcribed: false, is_delivered: false }
    }

    /// Returns the piece before another attempt: an earlier provider's report does not count, but what was delivered does.
    pub(super) fn anew(self) -> Self {
        Self { is_delivered: self.is_delivered, ..Self::new(self.length, self.text) }
    }

    pub(super) fn record_delivery(&mut self) {
        self.is_delivered = true;
    }

    /// Adds a report. Fields that it leaves out keep the values of earlier reports.
    pub(super) fn report(&mut self, report: Report) {
        self.report = report.or(self.report);
    }

    pub(super) fn record_transcript(&mut self, report: Report) {
        self.report(report);
        self.is_transcribed = true;
    }

    pub(super) fn sent(self, target: AttemptTarget, is_held: bool) -> SentPiece {
        let Self { length, text, report, is_transcribed, is_delivered } = self;
        let progress = match (is_transcribed || is_delivered, is_held) {
            (true, _) => PieceProgress::Transcribed,
            (false, true) => PieceProgress::Held,
            (false, false) => PieceProgress::NotHeld,
        };
        SentPiece { length, text, target, report, progress }
    }
}
