//! Shares behind a lock, with guards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::ShareKey;
use super::refused::Refused;
use super::shares::Shares;

/// A capacity that callers share fairly, for use from any thread.
#[derive(Debug)]
pub struct FairShare(Mutex<Shares>);

impl FairShare {
    /// Puts the shares behind a lock.
    pub fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self(Mutex::new(shares)))
    }

    /// Returns the number of units held.
    pub fn held(&self) -> u64 {
        self.lock().held()
    }

    /// Sets the minimum share of each holder; see [`Shares::with_min_share`].
    pub fn set_min_share(&self, units: u64) {
        self.lock().set_min_share(units);
    }

    /// Checks that `key` may have `units` more now.
    pub fn check(&self, key: ShareKey, units: u64) -> Result<(), Refused> {
        self.lock().check(key, units)
    }

    /// Reserves `units` for `key`, if the rule allows.
    pub fn try_acquire(self: &Arc<Self>, key: ShareKey, units: u64) -> Result<Reservation, Refused> {
        let mut held = Held::none(self, key);
        held.grow_to(units)?;
        Ok(Reservation(Source::Shares(held)))
    }

    /// Reserves `units` for reservations of `key` that are still to come, if the rule allows.
    pub fn reserve_room(self: &Arc<Self>, key: ShareKey, units: u64) -> Result<ReservedRoom, Refused> {
        let room = Room(Arc::new(Mutex::new(RoomState { held: Held::none(self, key), reserved: 0, used: 0 })));
        room.reserve(units)?;
        Ok(ReservedRoom(room))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Units of a [`FairShare`], given back on drop.
#[derive(Debug)]
pub struct Reservation(Source);

/// The source of the units of a reservation.
#[derive(Debug)]
enum Source {
    Shares(Held),
    Room { room: Room, units: u64 },
}

impl Reservation {
    /// Grows the reservation to at least `units`; leaves it unchanged if that is refused.
    pub fn grow_to(&mut self, units: u64) -> Result<(), Refused> {
        match &mut self.0 {
            Source::Shares(held) => held.grow_to(units),
            Source::Room { room, units: own } => {
                let more = units.saturating_sub(*own);
                room.take(more)?;
                *own += more;
                Ok(())
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Source::Room { room, units } = &self.0 {
            room.give_back(*units);
        }
    }
}

/// Units that are reserved before they are needed, for several reservations of one key. What they give back is reserved
/// for the next. Dropping this gives back what no reservation uses; the rest follows as each is dropped.
#[derive(Debug)]
pub struct ReservedRoom(Room);

/// A handle to the units of a [`ReservedRoom`].
#[derive(Debug, Clone)]
pub struct Room(Arc<Mutex<RoomState>>);

#[derive(Debug)]
struct RoomState {
    /// All units of the room.
    held: Held,
    /// The number of units that stay held while nothing uses them.
    reserved: u64,
    /// The number of units that reservations use.
    used: u64,
}

impl ReservedRoom {
    /// Returns an empty reservation that takes its units from this room; beyond it, from those that are free.
    pub fn reservation(&self) -> Reservation {
        Reservation(Source::Room { room: self.0.clone(), units: 0 })
    }

    /// Returns a handle to the room.
    pub fn handle(&self) -> Room {
        self.0.clone()
    }
}

impl Drop for ReservedRoom {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Room {
    /// Reserves at least `units`, those in use included; changes nothing if the rule refuses that.
    pub fn reserve(&self, units: u64) -> Result<(), Refused> {
        let mut state = self.lock();
        state.held.grow_to(units)?;
        state.reserved = state.reserved.max(units);
        Ok(())
    }

    fn take(&self, units: u64) -> Result<(), Refused> {
        let mut state = self.lock();
        let used = state.used.saturating_add(units);
        state.held.grow_to(used)?;
        state.used = used;
        Ok(())
    }

    fn give_back(&self, units: u64) {
        let mut state = self.lock();
        state.used = state.used.saturating_sub(units);
        state.shrink();
    }

    fn close(&self) {
        let mut state = self.lock();
        state.reserved = 0;
        state.shrink();
    }

    fn lock(&self) -> MutexGuard<'_, RoomState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomState {
    /// Gives back what is neither used nor reserved.
    fn shrink(&mut self) {
        self.held.shrink_to(self.used.max(self.reserved));
    }
}

/// Units that a key holds, given back on drop.
#[derive(Debug)]
struct Held {
    of: Arc<FairShare>,
    key: ShareKey,
    units: u64,
}

impl Held {
    fn none(of: &Arc<FairShare>, key: ShareKey) -> Self {
        Self { of: Arc::clone(of), key, units: 0 }
    }

    fn grow_to(&mut self, units: u64) -> Result<(), Refused> {
        let more = units.saturating_sub(self.units);
        if more > 0 {
            self.of.lock().take(self.key, more)?;
            self.units += more;
        }
        Ok(())
    }

    fn shrink_to(&mut self, units: u64) {
        let less = self.units.saturating_sub(units);
        if less > 0 {
            self.of.lock().give_back(self.key, less);
            self.units -= less;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}
