//! Room in the spool that is reserved for recordings that this process makes.

use std::sync::Arc;

use super::quota::{Budget, MemoryReservation, SpoolQuota};
use crate::fair_share::{Refused, Reservation, ReservedRoom, Room, ShareKey};

/// Room that is reserved for the pieces of one recording. A piece takes its bytes from here, and gives them back for the
/// next one when it is dropped. Dropping this gives back what no piece uses.
#[derive(Debug)]
pub struct SpoolRoom {
    quota: Arc<SpoolQuota>,
    disk: ReservedRoom,
    /// The memory from which the pieces take their bytes first.
    memory: Arc<Budget>,
    /// The size in bytes of the memory that is reserved in place of disk.
    in_memory: Option<u64>,
}

impl SpoolRoom {
    /// Reserves `bytes` within `quota` for the caller of `key`: on disk or, while that is full, in memory, if they are few
    /// enough for that.
    pub fn reserve(quota: &Arc<SpoolQuota>, key: ShareKey, bytes: u64) -> Result<Self, Refused> {
        match quota.disk.reserve_room(key, bytes) {
            Ok(disk) => {
                let memory = Arc::clone(&quota.memory);
                Ok(Self { quota: Arc::clone(quota), disk, memory, in_memory: None })
            }
            Err(refused) => Self::in_memory(quota, key, bytes).ok_or(refused),
        }
    }

    /// Returns room that grows with what its pieces take, if `bytes` could be reserved now.
    pub fn growing(quota: &Arc<SpoolQuota>, key: ShareKey, bytes: u64) -> Result<Self, Refused> {
        quota.disk.check(key, bytes)?;
        Self::reserve(quota, key, 0)
    }

    fn in_memory(quota: &Arc<SpoolQuota>, key: ShareKey, bytes: u64) -> Option<Self> {
        if bytes > quota.threshold {
            return None;
        }
        let mut part = MemoryReservation::empty(&quota.memory);
        part.grow_to(bytes).ok()?;
        let (disk, memory) = (quota.disk.reserve_room(key, 0).ok()?, Arc::new(Budget::within(part)));
        Some(Self { quota: Arc::clone(quota), disk, memory, in_memory: Some(bytes) })
    }

    /// Returns a handle, to reserve more once it is known that more is needed.
    pub fn handle(&self) -> Room {
        self.disk.handle()
    }

    pub(super) fn quota(&self) -> &Arc<SpoolQuota> {
        &self.quota
    }

    pub(super) fn reservation(&self) -> Reservation {
        self.disk.reservation()
    }

    pub(super) fn memory(&self) -> MemoryReservation {
        MemoryReservation::empty(&self.memory)
    }

    /// Returns the size that a piece can have without a file, if this room is in memory.
    pub(super) fn buffer(&self) -> Option<usize> {
        self.in_memory.and_then(|bytes| usize::try_from(bytes).ok())
    }
}
