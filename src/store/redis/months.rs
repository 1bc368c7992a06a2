//! Times whose month is known only within the difference between two clocks.

use std::time::Duration;

use crate::domain::{Month, UnixMs};

/// The maximum difference between the clocks of the gateway and of Redis.
pub(super) const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_hours(12);
/// The time for which the sums of a month are kept.
pub(super) const KEEP_MONTH: Duration = Duration::from_hours(24 * 400);

/// The months in which a time may be. Both are the same, except around the turn of a month.
#[derive(Debug, Clone, Copy)]
pub(super) struct MonthsAround {
    pub(super) earlier: Month,
    pub(super) later: Month,
}

impl MonthsAround {
    pub(super) fn new(time: UnixMs) -> Self {
        let (earlier, later) = (time.minus(MAX_CLOCK_DIFFERENCE), time.plus(MAX_CLOCK_DIFFERENCE));
        Self { earlier: Month::of(earlier), later: Month::of(later) }
    }
}

/// Returns a time span in milliseconds.
pub(super) fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Returns a time span in microseconds.
pub(super) fn us(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
