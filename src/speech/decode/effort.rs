//! The rule about work: how much of it one call does, and how often a recording may begin anew.

use super::error::Reason;

/// The work of one call of the reader, in samples that are decoded: some milliseconds at most.
const MAX_IN_CALL: u64 = 64 * 1024;
/// The work of any packet, in the same unit, beyond its samples.
const PACKET: u64 = 64;
/// The work of the search through a stretch of a stream for the end of a frame.
const SEARCH: u64 = MAX_IN_CALL / 8;
/// The work of setting up a decoder and a resampler.
const SETUP: u64 = MAX_IN_CALL / 4;
/// The number of times that any recording may begin anew or change its form, and the number for each second of it. Each
/// costs a decoder and a resampler.
const MAX_CHANGES: u64 = 64;
const MAX_CHANGES_PER_SECOND: u64 = 8;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The work on a recording.
#[derive(Debug, Default)]
pub(super) struct Effort {
    /// The work of the current call.
    in_call: u64,
    changes: u64,
}

impl Effort {
    /// Begins a call.
    pub(super) fn begin_call(&mut self) {
        self.in_call = 0;
    }

    /// Returns true if the current call has done enough.
    pub(super) fn is_spent(&self) -> bool {
        self.in_call >= MAX_IN_CALL
    }

    /// Counts a packet of this many samples, played or not.
    pub(super) fn packet(&mut self, samples: usize) {
        self.spend(u64::try_from(samples).unwrap_or(u64::MAX).saturating_add(PACKET));
    }

    /// Counts a search.
    pub(super) fn search(&mut self) {
        self.spend(SEARCH);
    }

    /// Counts a beginning, or a change of the form of the sound, after `decoded` nanoseconds of the recording.
    pub(super) fn change(&mut self, decoded: u128) -> Result<(), Reason> {
        self.spend(SETUP);
        self.changes = self.changes.saturating_add(1);
        let seconds = u64::try_from(decoded / NANOS_PER_SECOND).unwrap_or(u64::MAX);
        if self.changes > seconds.saturating_mul(MAX_CHANGES_PER_SECOND).saturating_add(MAX_CHANGES) {
            return Err(Reason::Feature("begins anew or changes its form more often than any recorder does"));
        }
        Ok(())
    }

    fn spend(&mut self, work: u64) {
        self.in_call = self.in_call.saturating_add(work);
    }
}
