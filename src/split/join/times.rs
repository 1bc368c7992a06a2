//! Times of an answer, moved from its piece to the recording.

use std::time::Duration;

use serde_json::value::RawValue;

use super::place::PiecePlace;
use super::voice::Voice;
use crate::domain::AudioMs;
use crate::speech::Samples;

/// A time in the recording. Its JSON is the provider's own where that is the same time.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    at: AudioMs,
    as_written: Option<String>,
}

impl Moment {
    /// Returns the time.
    pub(super) fn at(&self) -> AudioMs {
        self.at
    }

    /// Returns the time in seconds, as a JSON number.
    pub(super) fn json(&self) -> String {
        self.as_written.clone().unwrap_or_else(|| seconds(self.at))
    }

    /// Returns this time, or `earliest` if that is later.
    pub(super) fn not_before(self, earliest: AudioMs) -> Self {
        if self.at < earliest { Self { at: earliest, as_written: None } } else { self }
    }

    /// Returns this time, or `latest` if that is earlier.
    pub(super) fn not_after(self, latest: AudioMs) -> Self {
        if self.at > latest { Self { at: latest, as_written: None } } else { self }
    }
}

/// The clock of a piece: it turns times in the piece into times in the recording, none of them outside the piece.
pub(super) struct PieceClock {
    start: Samples,
    first: AudioMs,
    last: AudioMs,
    voice: Voice,
    max_said: usize,
}

impl PieceClock {
    /// The length up to which an end is not clipped to the voice, because a voice that ends right after the start is that
    /// of the segment before, and the segment's own was not detected.
    const MIN_CLIPPED: AudioMs = AudioMs::new(300);
    /// The time before a pause in which a segment may start without being thought to start in it.
    const BEFORE_PAUSE: Samples = Samples::from_ms(300);
    /// The maximum time by which the start of a segment is moved. Where voice is further away, it was not detected rather
    /// than the start wrong.
    const MAX_EARLY: Samples = Samples::from_ms(2_000);

    /// Makes the clock of the piece at `place`.
    pub(super) fn of(place: &PiecePlace<'_>) -> Self {
        Self {
            start: place.span.start,
            first: nearest_ms(place.span.start),
            last: nearest_ms(place.span.end).max(nearest_ms(place.span.start)),
            voice: Voice::of(place),
            max_said: place.max_said(),
        }
    }

    /// Moves a JSON number of seconds; `None` if it is no number.
    pub(super) fn moved(&self, seconds: &RawValue) -> Option<Moment> {
        let written = seconds.get();
        let seconds: f64 = serde_json::from_str(written).ok()?;
        let Ok(in_piece) = Duration::try_from_secs_f64(seconds) else {
            // Negative, or beyond any recording.
            return Some(Moment { at: if seconds < 0.0 { self.first } else { self.last }, as_written: None });
        };
        let moved = self.moved_by(in_piece);
        let is_same = self.start == Samples::default() && moved <= self.last;
        let as_written = is_same.then(|| written.to_owned());
        Some(Moment { at: moved.clamp(self.first, self.last), as_written })
    }

    /// Moves a time of a cue.
    pub(super) fn moved_ms(&self, in_piece: AudioMs) -> AudioMs {
        self.moved_by(in_piece.duration()).clamp(self.first, self.last)
    }

    /// Moves a position in hundredths of a second, the unit of `seek`.
    pub(super) fn moved_seek(&self, seek: u64) -> u64 {
        const SAMPLES_IN_HUNDREDTH: u64 = 160;
        seek.saturating_add(self.start.get().saturating_add(SAMPLES_IN_HUNDREDTH / 2) / SAMPLES_IN_HUNDREDTH)
    }

    /// Returns true if times in the piece are times in the recording.
    pub(super) fn is_at_zero(&self) -> bool {
        self.start == Samples::default()
    }

    /// Returns the maximum number of segments and words, or of lines of subtitles, in the piece.
    pub(super) fn max_said(&self) -> usize {
        self.max_said
    }

    /// Clips the end of a segment to the end of its voice: models let a segment last until the next one begins.
    pub(super) fn clipped_to_voice(&self, end: Moment, start: AudioMs) -> Moment {
        let voice_end = nearest_ms(self.voice.end_before(Samples::from_ms(end.at().get())));
        if voice_end < start.saturating_add(Self::MIN_CLIPPED) { end } else { end.not_after(voice_end) }
    }

    /// Moves the start of a segment out of a pause, to where the voice begins again: models now and then give all segments
    /// of half a minute times that are about a second early. A start without voice behind it, before `end`, stays.
    pub(super) fn snapped_to_voice(&self, start: Moment, end: AudioMs) -> Moment {
        let point = Samples::from_ms(start.at().get());
        let voice_start = self.voice.begins_again(point, Self::BEFORE_PAUSE);
        let is_near = |voice_start: &Samples| voice_start.saturating_sub(point) <= Self::MAX_EARLY;
        match voice_start.filter(is_near).map(nearest_ms) {
            Some(voice_start) if voice_start < end => start.not_before(voice_start),
            _ => start,
        }
    }

    fn moved_by(&self, in_piece: Duration) -> AudioMs {
        let moved = in_piece.saturating_add(duration(self.start)).saturating_add(Duration::from_micros(500));
        AudioMs::new(u64::try_from(moved.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Returns the time of a position, rounded to the nearest millisecond.
pub(super) fn nearest_ms(position: Samples) -> AudioMs {
    const SAMPLES_IN_MS: u64 = 16;
    AudioMs::new(position.get().saturating_add(SAMPLES_IN_MS / 2) / SAMPLES_IN_MS)
}

/// Writes a time or length as a JSON number of seconds: `12.34`, `303.0`.
pub(super) fn seconds(time: AudioMs) -> String {
    let exact = time.to_string();
    let short = exact.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn duration(position: Samples) -> Duration {
    const NANOS_IN_SAMPLE: u64 = 62_500;
    Duration::from_nanos(position.get().saturating_mul(NANOS_IN_SAMPLE))
}
