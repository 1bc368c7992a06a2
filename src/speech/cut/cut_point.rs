//! The best cut in a window of frames.

use std::cmp::Reverse;

use super::frame::{FRAME_LENGTH, Frame, MIN_PAUSE};
use crate::speech::samples::Samples;

/// The number of frames over which the sound is compared where there is no pause: 240 ms.
const PROBE: usize = 15;
/// The difference between two mean scores that says nothing. Where scores are as close as this, the quieter place wins.
const TIE: f64 = 0.02;

/// Returns the best cut, as a distance from the first frame: the middle of the longest pause, or the middle of the
/// stretch that is least like speech.
pub(super) fn best(frames: &[Frame]) -> Samples {
    let frames_before = longest_pause(frames).unwrap_or_else(|| least_like_speech(frames));
    let half_frame = FRAME_LENGTH.get() / 2;
    Samples::new(frames_before.twice().saturating_mul(half_frame))
}

/// Frames `from..to` of a window.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: usize,
    to: usize,
}

impl Run {
    fn length(self) -> usize {
        self.to - self.from
    }

    /// Returns the middle, in half frames.
    fn twice(self) -> u64 {
        u64::try_from(self.from + self.to).unwrap_or(u64::MAX)
    }
}

/// Returns the longest pause, and of several the one nearest to the middle of the window.
fn longest_pause(frames: &[Frame]) -> Option<Run> {
    let mut from = 0;
    let runs = frames.chunk_by(|one, next| one.is_voice() == next.is_voice()).filter_map(|run| {
        let here = Run { from, to: from + run.len() };
        from = here.to;
        run.first().is_some_and(|frame| !frame.is_voice()).then_some(here)
    });
    let middle = u64::try_from(frames.len()).unwrap_or(u64::MAX);
    runs.filter(|run| u64::try_from(run.length()).is_ok_and(|length| length >= MIN_PAUSE))
        .max_by_key(|run| (run.length(), Reverse(run.twice().abs_diff(middle))))
}

fn least_like_speech(frames: &[Frame]) -> Run {
    let probes = || frames.windows(PROBE.min(frames.len()).max(1)).map(Means::of).enumerate();
    let lowest = probes().map(|(_, means)| means.score).fold(f64::INFINITY, f64::min);
    let quietest = probes()
        .filter(|(_, means)| means.score <= lowest + TIE)
        .min_by(|(_, one), (_, other)| one.energy.total_cmp(&other.energy));
    let from = quietest.map_or(0, |(from, _)| from);
    Run { from, to: (from + PROBE).min(frames.len()).max(from) }
}

/// The means of some frames.
struct Means {
    score: f64,
    energy: f64,
}

impl Means {
    fn of(frames: &[Frame]) -> Self {
        let count = f64::from(u16::try_from(frames.len()).unwrap_or(u16::MAX).max(1));
        let score = frames.iter().map(|frame| f64::from(frame.score)).sum::<f64>() / count;
        let energy = frames.iter().map(|frame| f64::from(frame.energy)).sum::<f64>() / count;
        Self { score, energy }
    }
}
