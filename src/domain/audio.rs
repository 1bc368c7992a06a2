//! Lengths of audio.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of audio, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AudioMs(u64);

impl AudioMs {
    /// Makes a length of `ms` milliseconds.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// Returns the length of `frames` at `rate` frames a second, rounded up to a whole millisecond; `None` for a rate
    /// of zero.
    pub fn from_frames(frames: u64, rate: u64) -> Option<Self> {
        let ms = (u128::from(frames) * 1000).div_ceil(u128::from(rate).max(1));
        (rate > 0).then(|| Self(u64::try_from(ms).unwrap_or(u64::MAX)))
    }

    /// Returns the length in milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds two lengths.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// Subtracts `less`, down to zero.
    #[must_use]
    pub const fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }

    /// Returns the length as a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Writes seconds with three decimals, as in `12.340`.
impl fmt::Display for AudioMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The length of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A length from a count of all packets.
    Measured(AudioMs),
    /// An upper bound, because some of the recording could not be parsed.
    AtMost(AudioMs),
}

impl Length {
    /// Returns the maximum length of the recording, which is charged and counts against limits.
    pub fn upper_bound(self) -> AudioMs {
        match self {
            Self::Measured(length) | Self::AtMost(length) => length,
        }
    }

    /// Adds two lengths; the sum is measured only if both are.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        match (self, more) {
            (Self::Measured(length), Self::Measured(more)) => Self::Measured(length.saturating_add(more)),
            _ => Self::AtMost(self.upper_bound().saturating_add(more.upper_bound())),
        }
    }

    /// Returns the length if it was measured.
    pub fn measured(self) -> Option<AudioMs> {
        match self {
            Self::Measured(length) => Some(length),
            Self::AtMost(_) => None,
        }
    }
}
