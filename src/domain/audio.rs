//! Lengths of audio.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of audio in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
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

    /// Both together.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// What is left of it without `less`.
    #[must_use]
    pub const fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
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

/// How long a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Its packets were counted, all of them.
    Measured(AudioMs),
    /// Some of it could not be walked; it is no longer than this.
    AtMost(AudioMs),
}

impl Length {
    /// The longest that the recording can be: what is charged and held against limits.
    pub fn upper_bound(self) -> AudioMs {
        match self {
            Self::Measured(length) | Self::AtMost(length) => length,
        }
    }

    /// Both, one after the other: no surer than the less sure of them.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        match (self, more) {
            (Self::Measured(length), Self::Measured(more)) => Self::Measured(length.saturating_add(more)),
            _ => Self::AtMost(self.upper_bound().saturating_add(more.upper_bound())),
        }
    }

    /// The length, if it was measured.
    pub fn measured(self) -> Option<AudioMs> {
        match self {
            Self::Measured(length) => Some(length),
            Self::AtMost(_) => None,
        }
    }
}
