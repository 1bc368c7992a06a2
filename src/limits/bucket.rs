//! The rate limits of one request, as GCRA sees them.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{AudioRate, RequestRate};
use crate::domain::AudioMs;

const MICROS_PER_MINUTE: u64 = 60_000_000;

/// A request and its rate limit, as the generic cell rate algorithm (GCRA) sees them: the request takes `cells` from a
/// bucket that holds `burst` cells and gets one back every `cell`. Time is in whole microseconds, which every store can
/// represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// The time after which one cell comes back.
    pub cell: Duration,
    /// The number of cells that this request takes.
    pub cells: NonZeroU32,
    /// The number of cells in a full bucket.
    pub burst: NonZeroU32,
}

impl Bucket {
    /// Returns the bucket of one request: a cell is the time between two requests, rounded up, so that a minute never
    /// has one too many.
    pub fn for_requests(rate: RequestRate) -> Self {
        let cell = MICROS_PER_MINUTE.div_ceil(u64::from(rate.per_minute.get()));
        Self { cell: Duration::from_micros(cell), cells: NonZeroU32::MIN, burst: rate.burst }
    }

    /// Returns the bucket of a recording: a cell is a microsecond of waiting. Rounded down, so that a recording that
    /// fits the burst exactly is also admitted in several pieces; the error is under a microsecond for each piece.
    pub fn for_audio(rate: AudioRate, length: AudioMs) -> Self {
        let waiting = |length: AudioMs| {
            let us =
                u128::from(length.get()) * u128::from(MICROS_PER_MINUTE) / u128::from(rate.per_minute.get().max(1));
            NonZeroU32::new(u32::try_from(us).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        Self { cell: Duration::from_micros(1), cells: waiting(length), burst: waiting(rate.burst) }
    }

    /// Returns the time after which the cells of the request have come back.
    pub fn weight(&self) -> Duration {
        self.cell.saturating_mul(self.cells.get())
    }

    /// Returns the time after which an empty bucket is full again.
    pub fn capacity(&self) -> Duration {
        self.cell.saturating_mul(self.burst.get())
    }
}
