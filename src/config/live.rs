//! `[live]`: sessions whose audio is still being spoken.

use std::time::Duration;

use super::reader::Section;
use crate::domain::AudioMs;

/// `[live]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// True if callers may open live sessions; true. Turn it off where each request is handled alone, as on AWS Lambda.
    pub enabled: bool,
    /// `max_seconds`: the time after which a session ends by itself, and the longest audio of one, 10 s to 24 h; 1 h.
    pub max_time: Duration,
    /// The time without audio after which a session ends by itself; 60s.
    pub idle_timeout: Duration,
    /// The largest number of sessions that are open at the same time, 1 to 100000; 1000.
    pub max_sessions: usize,
    /// The time for which the events of a session stay readable after its end; 5m.
    pub keep_events: Duration,
    /// `slice_seconds`: the audio that is charged ahead of what was sent, 5 s to 600 s; 30 s.
    pub slice: AudioMs,
    /// The silence that ends a turn, 200 ms to 3 s; 500ms.
    pub turn_pause: Duration,
    /// The longest turn, 5 s to 2 min; 30s.
    pub longest_turn: Duration,
}

/// A setting that is a duration, and its bounds.
struct Bounds {
    key: &'static str,
    min: Duration,
    max: Duration,
    default: Duration,
}

impl Live {
    pub(super) fn read(mut section: Section) -> Self {
        let max_seconds = section.ranged("max_seconds", 10..=24 * 3600).unwrap_or(3600);
        let max_sessions = section.ranged("max_sessions", 1..=100_000).unwrap_or(1000);
        let slice_seconds = section.ranged("slice_seconds", 5..=600).unwrap_or(30);
        let turn_pause = Bounds {
            key: "turn_pause",
            min: Duration::from_millis(200),
            max: Duration::from_secs(3),
            default: Duration::from_millis(500),
        };
        let longest_turn = Bounds {
            key: "longest_turn",
            min: Duration::from_secs(5),
            max: Duration::from_mins(2),
            default: Duration::from_secs(30),
        };
        let settings = Self {
            enabled: section.value("enabled", true),
            max_time: Duration::from_secs(max_seconds),
            idle_timeout: section.value("idle_timeout", Duration::from_mins(1)),
            max_sessions: usize::try_from(max_sessions).unwrap_or(usize::MAX),
            keep_events: section.value("keep_events", Duration::from_mins(5)),
            slice: AudioMs::new(slice_seconds.saturating_mul(1000)),
            turn_pause: bounded(&mut section, &turn_pause),
            longest_turn: bounded(&mut section, &longest_turn),
        };
        section.finish();
        settings
    }
}

fn bounded(section: &mut Section, bounds: &Bounds) -> Duration {
    let Bounds { key, min, max, default } = *bounds;
    let given = section.value(key, default);
    if (min..=max).contains(&given) {
        return given;
    }
    section.problem(key, format!("got {given:?}; takes a time from {min:?} to {max:?}"));
    default
}
