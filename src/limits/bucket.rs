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

    /// Returns the bucket of a recording: a cell is a microsecond of waiting, or as few of them as let the number of cells
    /// in a full bucket fit 32 bits: four for four hours. Rounded down, so that a recording that fits the burst exactly is
    /// also admitted in several pieces; the error is under a cell for each piece.
    pub fn for_audio(rate: AudioRate, length: AudioMs) -> Self {
        let waiting = |length: AudioMs| {
            u128::from(length.get()) * u128::from(MICROS_PER_MINUTE) / u128::from(rate.per_minute.get().max(1))
        };
        let cell = u64::try_from(waiting(rate.burst).div_ceil(u128::from(u32::MAX))).unwrap_or(u64::MAX).max(1);
        let cells = |length: AudioMs| {
            let cells = u32::try_from(waiting(length) / u128::from(cell)).unwrap_or(u32::MAX);
            NonZeroU32::new(cells).unwrap_or(NonZeroU32::MIN)
        };
        Self { cell: Duration::from_micros(cell), cells: cells(length), burst: cells(rate.burst) }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::clock::Clock;
    use crate::limits::rates::Rates;
    use crate::limits::{Denial, Limits};

    const HOUR: u64 = 3_600_000;

    fn bucket(per_minute: u64, burst: u64, length: u64) -> Bucket {
        let rate = AudioRate { per_minute: AudioMs::new(per_minute), burst: AudioMs::new(burst) };
        Bucket::for_audio(rate, AudioMs::new(length))
    }

    #[test]
    fn a_bucket_holds_four_hours_of_its_rate() {
        for per_minute in [1000, 60_000, 1_000_000_000] {
            let full = bucket(per_minute, 240 * per_minute, 240 * per_minute);
            assert_eq!((full.cells, full.capacity()), (full.burst, Duration::from_hours(4)), "{per_minute}");
            let half = bucket(per_minute, 240 * per_minute, 120 * per_minute);
            assert_eq!(half.weight(), Duration::from_hours(2), "{per_minute}");
        }
        assert_eq!(bucket(60_000, 71 * 60_000, 1).cell, Duration::from_micros(1), "as exact as can be");
    }

    #[test]
    fn four_hours_come_back_in_four_hours() {
        let clock = Clock::manual(crate::domain::UnixMs::new(1_000_000));
        let rates = Rates::new(clock.clone());
        let alice = "alice".parse().unwrap();
        let limits = |length| Limits { audio: Some(bucket(60_000, 4 * HOUR, length)), ..Limits::default() };
        rates.take(&alice, &limits(3 * HOUR)).unwrap();
        rates.take(&alice, &limits(HOUR)).unwrap();
        assert_eq!(rates.take(&alice, &limits(HOUR)), Err(Denial::Audio { wait: Duration::from_hours(1) }));
        assert_eq!(rates.time_until_full(&alice).audio, Duration::from_hours(4));
        clock.advance(Duration::from_hours(1));
        rates.take(&alice, &limits(HOUR)).unwrap();
    }

    proptest! {
        #[test]
        fn a_recording_waits_for_its_length_at_the_rate(
            per_minute in 1_u64..=1_000_000,
            minutes in 1_u64..=240,
            part in 0_u64..=1000,
        ) {
            let per_minute = per_minute * 1000;
            let length = per_minute * minutes / 1000 * part;
            let bucket = bucket(per_minute, per_minute * minutes, length);
            let exact = Duration::from_micros(minutes * 60_000 * part);
            prop_assert!(bucket.cell <= Duration::from_micros(4));
            prop_assert!(bucket.weight() <= exact.max(bucket.cell) && exact < bucket.weight() + bucket.cell);
            prop_assert!(bucket.cells <= bucket.burst);
        }
    }
}
