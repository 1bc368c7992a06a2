//! The samples whose place is not decided.

use std::collections::VecDeque;

use crate::speech::samples::Samples;

/// The samples between what is decided and what is decoded.
#[derive(Default)]
pub(super) struct HeldSamples {
    samples: VecDeque<i16>,
    /// The position of the first of them.
    start: Samples,
}

impl HeldSamples {
    /// Appends samples.
    pub(super) fn push(&mut self, samples: &[i16]) {
        self.samples.extend(samples);
    }

    /// Returns the position of the first sample.
    pub(super) fn start(&self) -> Samples {
        self.start
    }

    /// Returns the position after the last sample.
    pub(super) fn end(&self) -> Samples {
        self.start.saturating_add(Samples::new(u64::try_from(self.samples.len()).unwrap_or(u64::MAX)))
    }

    /// Returns the first samples, up to `until` and no more than `max`: as many as are contiguous in memory, and at least
    /// one if there is any.
    pub(super) fn first(&self, until: Samples, max: usize) -> &[i16] {
        let wanted = usize::try_from(until.saturating_sub(self.start).get()).unwrap_or(usize::MAX).min(max);
        let (front, _) = self.samples.as_slices();
        front.get(..wanted).unwrap_or(front)
    }

    /// Forgets the first `count` samples.
    pub(super) fn forget(&mut self, count: usize) {
        let count = count.min(self.samples.len());
        self.samples.drain(..count);
        self.start = self.start.saturating_add(Samples::new(u64::try_from(count).unwrap_or(u64::MAX)));
    }

    /// Gives back the memory that nothing needs until more samples come.
    pub(super) fn trim(&mut self) {
        self.samples.shrink_to_fit();
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.samples.capacity() * size_of::<i16>()
    }

    /// Forgets the samples before `until`.
    pub(super) fn forget_until(&mut self, until: Samples) {
        self.forget(usize::try_from(until.saturating_sub(self.start).get()).unwrap_or(usize::MAX));
    }
}
