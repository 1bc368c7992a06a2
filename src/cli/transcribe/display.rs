//! The display of what happens: bars on a terminal, else lines. Both go to standard error.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The display of a command. Clones write to the same place.
#[derive(Debug, Clone)]
pub(super) enum Display {
    /// A bar for each recording that is being sent, and one for all of them.
    Bars {
        /// All bars.
        bars: MultiProgress,
        /// The bar for all recordings, if there are several.
        all: Option<ProgressBar>,
    },
    /// A line for each thing that happens.
    Lines,
    /// Errors alone.
    Errors,
}

impl Display {
    /// Chooses the display for so many recordings.
    pub(super) fn new(quiet: bool, recordings: usize) -> Self {
        if quiet {
            return Self::Errors;
        }
        let bars = MultiProgress::new();
        // A terminal that cannot move its cursor has no bars.
        if !io::stderr().is_terminal() || bars.is_hidden() {
            return Self::Lines;
        }
        let all = u64::try_from(recordings).ok().filter(|recordings| *recordings > 1).map(|recordings| {
            let bar = bars.add(ProgressBar::new(recordings).with_style(style("{pos} of {len} are done")));
            bar.tick();
            bar
        });
        Self::Bars { bars, all }
    }

    /// Chooses the display for a run whose words are the progress.
    pub(super) fn without_bars(quiet: bool) -> Self {
        if quiet { Self::Errors } else { Self::Lines }
    }

    /// Tells what happened.
    pub(super) fn note(&self, line: &str) {
        if !matches!(self, Self::Errors) {
            self.error(line);
        }
    }

    /// Tells what went wrong. A closed standard error does not affect the result.
    pub(super) fn error(&self, line: &str) {
        let _ = match self {
            Self::Bars { bars, .. } => bars.println(line),
            Self::Lines | Self::Errors => writeln!(io::stderr(), "{line}"),
        };
    }

    /// Counts a recording that needs no more work.
    pub(super) fn count_one(&self) {
        if let Self::Bars { all: Some(all), .. } = self {
            all.inc(1);
        }
    }

    /// Adds a bar for a recording, above the one for all.
    pub(super) fn add(bars: &MultiProgress, all: Option<&ProgressBar>, bar: ProgressBar) -> ProgressBar {
        match all {
            Some(all) => bars.insert_before(all, bar),
            None => bars.add(bar),
        }
    }

    /// Takes all bars away.
    pub(super) fn clear(&self) {
        if let Self::Bars { bars, all } = self {
            if let Some(all) = all {
                all.finish_and_clear();
            }
            let _ = bars.clear();
        }
    }

    /// Runs `write`, which writes to standard output, without bars in between.
    pub(super) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match self {
            Self::Bars { bars, .. } => bars.suspend(write),
            Self::Lines | Self::Errors => write(),
        }
    }
}

/// Returns the style of a template. All templates are right, which the tests on a terminal show.
pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
