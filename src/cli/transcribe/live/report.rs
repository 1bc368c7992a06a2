//! The messages for the person at the terminal, and whether anything is missing.

use std::cell::Cell;

use super::super::display::Display;

/// The report of a live run.
pub(super) struct Report {
    pub(super) display: Display,
    is_incomplete: Cell<bool>,
}

impl Report {
    pub(super) fn new(display: Display) -> Self {
        Self { display, is_incomplete: Cell::new(false) }
    }

    /// Tells that a part of the sound has no words.
    pub(super) fn missing(&self, line: &str) {
        self.is_incomplete.set(true);
        self.display.error(line);
    }

    /// Returns true if a part of the sound has no words.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete.get()
    }
}
