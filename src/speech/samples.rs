//! Positions and lengths of sound.

use crate::domain::AudioMs;

/// A position in a recording, or a length, in samples of 16 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Samples(u64);

impl Samples {
    /// The number of samples a second.
    pub const RATE: u32 = 16_000;
    const PER_MS: u64 = 16;

    /// Makes a position or length of `count` samples.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// Returns the number of samples of `ms` milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(Self::PER_MS))
    }

    /// Returns the number of samples.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the time, rounded up to a whole millisecond.
    pub const fn audio_ms(self) -> AudioMs {
        AudioMs::new(self.0.div_ceil(Self::PER_MS))
    }

    /// Returns the time in seconds.
    #[allow(clippy::cast_precision_loss, clippy::as_conversions, reason = "a year of samples is exact in 53 bits")]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(Self::RATE)
    }

    /// Adds a length.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// Subtracts a length, down to zero.
    #[must_use]
    pub const fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }
}

/// A stretch of a recording: `start` is its first sample, `end` the first sample after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first sample.
    pub start: Samples,
    /// The first sample after the stretch; never before `start`.
    pub end: Samples,
}

impl Span {
    /// Returns the length.
    pub const fn length(self) -> Samples {
        self.end.saturating_sub(self.start)
    }
}
