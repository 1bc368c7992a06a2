//! The quantities that pass between the rooms, each a type of its own so that none is mistaken for another.

use std::fmt;
use std::time::Duration;

/// A length of audio in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AudioMs(u64);

impl AudioMs {
    /// `ms` milliseconds of audio.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// `frames` at `rate` frames a second, rounded up to a whole millisecond; `None` for a rate of zero.
    pub fn from_frames(frames: u64, rate: u64) -> Option<Self> {
        let ms = (u128::from(frames) * 1000).div_ceil(u128::from(rate).max(1));
        (rate > 0).then(|| Self(u64::try_from(ms).unwrap_or(u64::MAX)))
    }

    /// The length in milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The length as a span of time.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Seconds with three places, as in `12.340`.
impl fmt::Display for AudioMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
