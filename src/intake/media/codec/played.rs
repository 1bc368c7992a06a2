//! The duration of sound at changing rates, summed without a rounding error for each packet.

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A duration: the samples at the current rate, and the time played at earlier rates.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Played {
    /// The time played at earlier rates, in nanoseconds.
    before: u64,
    samples: u64,
    /// The number of samples a second.
    rate: u32,
}

impl Played {
    /// Adds `samples` of each channel at `rate` samples a second. At a rate of zero nothing is added.
    pub(super) fn add(&mut self, samples: u64, rate: u32) {
        if rate == 0 {
            return;
        }
        if rate != self.rate {
            *self = Self { before: self.nanos(), samples: 0, rate };
        }
        self.samples = self.samples.saturating_add(samples);
    }

    /// Returns the total duration, in nanoseconds.
    pub(super) fn nanos(&self) -> u64 {
        let nanos = u128::from(self.samples) * NANOS_PER_SECOND / u128::from(self.rate.max(1));
        self.before.saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_may_change_and_nothing_is_lost_by_rounding() {
        let mut played = Played::default();
        for _ in 0..44_100 {
            played.add(1, 44_100);
        }
        assert_eq!(played.nanos(), 1_000_000_000);
        played.add(8_000, 8_000);
        played.add(1, 0);
        assert_eq!(played.nanos(), 2_000_000_000);
        played.add(u64::MAX, 1);
        assert_eq!(played.nanos(), u64::MAX);
    }
}
