//! Room in the spool that is reserved for recordings that this process makes.

use std::sync::Arc;

use super::quota::SpoolQuota;
use crate::fair_share::{Refused, Reservation, ReservedRoom, Room, ShareKey};

/// Room on disk that is reserved for the pieces of one recording. A piece takes its bytes from here, and gives them back
/// for the next one when it is dropped. Dropping this gives back what no piece uses.
#[derive(Debug)]
pub struct SpoolRoom {
    quota: Arc<SpoolQuota>,
    disk: ReservedRoom,
}

impl SpoolRoom {
    /// Reserves `bytes` within `quota` for the caller of `key`. While the disk is full, a recording that is small enough
    /// for memory goes on without a reservation, if there is memory for it.
    pub fn reserve(quota: &Arc<SpoolQuota>, key: ShareKey, bytes: u64) -> Result<Self, Refused> {
        let disk = match quota.disk.reserve_room(key, bytes) {
            Err(_) if bytes <= quota.threshold && quota.memory.fits(bytes) => quota.disk.reserve_room(key, 0)?,
            reserved => reserved?,
        };
        Ok(Self { quota: Arc::clone(quota), disk })
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
}
