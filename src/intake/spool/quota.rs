//! The spool quota: the memory and disk that all recordings together may take.
//!
//! Disk is taken as bytes arrive and pieces are cut, not as a client announces them, and callers divide it by the rule of
//! [`fair_share`](crate::fair_share). The largest recording fits even if the caller's share is less, as long as the
//! disk quota has space for it. Memory needs no shares: a recording that finds no memory goes to a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config;
use crate::fair_share::{FairShare, Refused, ShareKey, Shares};

/// The error for exhausted memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BudgetExceeded;

/// The bytes that recordings take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolUsage {
    /// In memory.
    pub memory: u64,
    /// On disk.
    pub disk: u64,
}

/// The memory and disk that all recordings of this process share.
#[derive(Debug)]
pub struct SpoolQuota {
    pub(super) memory: Arc<Budget>,
    pub(super) disk: Arc<FairShare>,
    /// The size in bytes above which a recording goes to a file.
    pub(super) threshold: u64,
    pub(super) directory: PathBuf,
}

impl SpoolQuota {
    /// Creates the quota from the spool.
    pub fn new(spool: &config::Spool, max_audio_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            memory: Arc::new(Budget::new(spool.max_spool_memory_bytes)),
            disk: FairShare::new(Shares::new(spool.max_spool_disk_bytes).with_min_share(max_audio_bytes)),
            threshold: u64::try_from(spool.spool_memory_bytes).unwrap_or(u64::MAX),
            directory: spool.spool_dir.clone(),
        })
    }

    /// Sets the size of the largest recording in bytes.
    pub fn set_largest_recording(&self, bytes: u64) {
        self.disk.set_min_share(bytes);
    }

    /// Returns the bytes that recordings take up in memory and on disk.
    pub fn used(&self) -> SpoolUsage {
        SpoolUsage { memory: self.memory.used(), disk: self.disk.held() }
    }

    /// Checks that the quota has space for a recording of `bytes` now. Recordings that are still arriving count with
    /// the bytes that have come.
    pub fn check(&self, key: ShareKey, bytes: u64) -> Result<(), Refused> {
        let in_memory = bytes <= self.threshold && self.memory.fits(bytes);
        if in_memory { Ok(()) } else { self.disk.check(key, bytes) }
    }
}

/// A maximum number of bytes, and the number taken.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    taken: AtomicU64,
    /// The part of another budget that this one is.
    _part: Option<MemoryReservation>,
}

impl Budget {
    pub(super) fn new(max: u64) -> Self {
        Self { max, taken: AtomicU64::new(0), _part: None }
    }

    /// Creates a budget of the bytes of `part`, which are given back when nobody uses this budget any more.
    pub(super) fn within(part: MemoryReservation) -> Self {
        Self { max: part.bytes, taken: AtomicU64::new(0), _part: Some(part) }
    }

    fn used(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn fits(&self, bytes: u64) -> bool {
        self.used().saturating_add(bytes) <= self.max
    }

    fn take(&self, bytes: u64) -> bool {
        let taken = self.taken.try_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            taken.checked_add(bytes).filter(|&taken| taken <= self.max)
        });
        taken.is_ok()
    }
}

/// One recording's part of a [`Budget`]. Dropping it gives the bytes back.
#[derive(Debug)]
pub(super) struct MemoryReservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl MemoryReservation {
    /// Creates an empty reservation.
    pub(super) fn empty(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Grows the reservation to at least `bytes`. If that would exceed the budget, the reservation stays unchanged.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<(), BudgetExceeded> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 && !self.budget.take(more) {
            return Err(BudgetExceeded);
        }
        self.bytes += more;
        Ok(())
    }

    /// Shrinks the reservation to at max `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.taken.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_never_exceed_their_budget_and_give_back_what_they_took() {
        let budget = Arc::new(Budget::new(100));
        let (mut one, mut other) = (MemoryReservation::empty(&budget), MemoryReservation::empty(&budget));
        assert_eq!(one.grow_to(60), Ok(()));
        assert_eq!(other.grow_to(41), Err(BudgetExceeded));
        assert_eq!(other.grow_to(40), Ok(()));
        assert_eq!(one.grow_to(10), Ok(()), "it has more already");
        one.shrink_to(20);
        assert_eq!(other.grow_to(80), Ok(()));
        drop(one);
        assert!(budget.fits(20) && !budget.fits(21));
        drop(other);
        assert!(budget.fits(100));
    }
}
