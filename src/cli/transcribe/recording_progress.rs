//! The progress of one recording: sent, then transcribed, perhaps in pieces.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::amounts;
use super::display::{Display, style};
use super::piece_count::PieceCount;

/// The number of lines about pieces that are written as they come, and the shortest time between more: a gateway may tell
/// as many as it likes.
const FREE_LINES: u32 = 100;
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The interval at which a spinner turns.
const TICK: Duration = Duration::from_millis(200);

const SENDING: &str = "{prefix} [{bar:24}] {decimal_bytes} of {decimal_total_bytes} sent";
const SENDING_UNKNOWN: &str = "{prefix} {spinner} {decimal_bytes} sent";
const WAITING: &str = "{prefix} {spinner} transcribing for {elapsed}";
const PIECES: &str = "{prefix} [{bar:24}] piece {pos} of {len}";
const PIECES_UNKNOWN: &str = "{prefix} {spinner} piece {pos}";

/// The progress of one recording.
pub(super) struct RecordingProgress {
    label: String,
    display: Display,
    bar: Option<ProgressBar>,
    /// The pieces that were shown last.
    shown: Cell<Option<PieceCount>>,
    /// The lines about pieces that were written, and when the last one was.
    lines: Cell<u32>,
    last_line: Cell<Option<Instant>>,
}

/// The part of the progress that the upload is.
#[derive(Clone)]
pub(super) struct UploadProgress(Option<ProgressBar>);

impl UploadProgress {
    /// Counts bytes that were sent.
    pub(super) fn sent(&self, bytes: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// Tells that everything was sent.
    pub(super) fn is_complete(&self) {
        if let Some(bar) = &self.0 {
            bar.set_style(style(WAITING));
            bar.reset_elapsed();
            bar.enable_steady_tick(TICK);
        }
    }
}

impl RecordingProgress {
    pub(super) fn new(label: String, display: &Display) -> Self {
        Self {
            label,
            display: display.clone(),
            bar: None,
            shown: Cell::new(None),
            lines: Cell::new(0),
            last_line: Cell::new(None),
        }
    }

    /// Tells that a recording of this length in bytes is being sent.
    pub(super) fn sending(&mut self, length: Option<u64>) -> UploadProgress {
        self.remove_bar();
        self.shown.set(None);
        match &self.display {
            Display::Bars { bars, all } => {
                let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
                let template = if length.is_some() { SENDING } else { SENDING_UNKNOWN };
                let bar = bar.with_style(style(template)).with_prefix(self.label.clone());
                let bar = Display::add(bars, all.as_ref(), bar);
                bar.tick();
                self.bar = Some(bar);
            }
            display => display.note(&match length {
                Some(length) => format!("{}: sending {}", self.label, amounts::size(length)),
                None => format!("{}: sending", self.label),
            }),
        }
        UploadProgress(self.bar.clone())
    }

    /// Tells how many pieces were heard.
    pub(super) fn pieces(&self, count: PieceCount) {
        let shown = self.shown.get();
        if count.all.is_some_and(|all| count.done > all) || shown.is_some_and(|shown| !count.is_news_after(shown)) {
            return;
        }
        if self.bar.is_none() && !self.may_write_a_line() {
            return;
        }
        self.shown.set(Some(count));
        match (&self.bar, count.all) {
            (Some(bar), Some(all)) => {
                bar.set_length(all);
                bar.set_style(style(PIECES));
                bar.set_position(count.done);
            }
            (Some(bar), None) => {
                bar.set_style(style(PIECES_UNKNOWN));
                bar.set_position(count.done);
            }
            (None, Some(all)) => self.display.note(&format!("{}: piece {} of {all}", self.label, count.done)),
            (None, None) => self.display.note(&format!("{}: piece {}", self.label, count.done)),
        }
    }

    fn may_write_a_line(&self) -> bool {
        let is_early = self.last_line.get().is_some_and(|last| last.elapsed() < LINE_EVERY);
        if self.lines.get() >= FREE_LINES && is_early {
            return false;
        }
        self.lines.set(self.lines.get().saturating_add(1));
        self.last_line.set(Some(Instant::now()));
        true
    }

    /// Tells that the recording will be sent again.
    pub(super) fn again(&mut self, why: &str) {
        self.remove_bar();
        self.display.note(&format!("{}: {why}", self.label));
    }

    /// Takes the bar away, so that words can be printed.
    pub(super) fn hide(&self) {
        if let Some(bar) = self.bar.as_ref().filter(|bar| !bar.is_finished()) {
            bar.finish_and_clear();
        }
    }

    fn remove_bar(&mut self) {
        self.hide();
        self.bar = None;
    }

    /// Tells what became of the recording.
    pub(super) fn finish(mut self, outcome: &str) {
        self.remove_bar();
        self.display.note(&format!("{}: {outcome}", self.label));
        self.display.count_one();
    }

    /// Tells why there is no transcript.
    pub(super) fn fail(mut self, why: &str) {
        self.remove_bar();
        self.display.error(&format!("{}: {why}", self.label));
        self.display.count_one();
    }
}

impl Drop for RecordingProgress {
    /// Takes the bar away when the command is stopped.
    fn drop(&mut self) {
        self.remove_bar();
    }
}
