//! The fair-share rule for one set of holders.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::refused::Refused;

/// Returns the part of a capacity that is reserved for holders below their equal share.
pub(super) const fn reserve(capacity: u64) -> u64 {
    capacity / 5
}

/// Returns the part of a capacity that a single holder can have.
pub const fn max_of_one(capacity: u64) -> u64 {
    capacity - reserve(capacity)
}

/// A capacity and its holders.
#[derive(Debug)]
pub(super) struct Level<K> {
    capacity: u64,
    total: u64,
    /// The holders of at least one unit.
    held: HashMap<K, u64>,
}

impl<K: Copy + Eq + Hash> Level<K> {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, total: 0, held: HashMap::new() }
    }

    pub(super) const fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn held(&self, key: K) -> u64 {
        self.held.get(&key).copied().unwrap_or_default()
    }

    /// Checks that `key` may have `units` more. A holder may always have `min_share` units in total, even if its share
    /// is less.
    ///
    /// Asking for several units at once equals asking for them one by one: each unit makes each condition harder to
    /// meet, so the last unit decides.
    pub(super) fn check(&self, key: K, units: u64, min_share: u64) -> Result<(), Refused> {
        let free = self.capacity.saturating_sub(self.total);
        if units > free {
            return Err(Refused::Exhausted);
        }
        let held = self.held(key);
        if units == 0 || held + units <= min_share || free - units >= reserve(self.capacity) {
            return Ok(());
        }
        let before_last = held + units - 1;
        let may_have = before_last < self.equal_share(key)
            && (leaves_a_part(before_last, held + free) || self.others_are_within(key));
        if may_have { Ok(()) } else { Err(Refused::OverShare) }
    }

    /// Returns the capacity divided by the number of holders, `key` included, rounded up. A single holder counts as
    /// two, since another may arrive at any time.
    fn equal_share(&self, key: K) -> u64 {
        let holders = self.held.len() + usize::from(!self.held.contains_key(&key));
        self.capacity.div_ceil(u64::try_from(holders).unwrap_or(u64::MAX).max(2))
    }

    /// Returns true if all holders but `key` are within the equal share.
    fn others_are_within(&self, key: K) -> bool {
        let share = self.equal_share(key);
        self.held.iter().all(|(other, units)| *other == key || *units <= share)
    }

    pub(super) fn add(&mut self, key: K, units: u64) {
        if units > 0 {
            self.total += units;
            *self.held.entry(key).or_default() += units;
        }
    }

    pub(super) fn remove(&mut self, key: K, units: u64) {
        let Entry::Occupied(mut held) = self.held.entry(key) else { return };
        let units = units.min(*held.get());
        self.total -= units;
        *held.get_mut() -= units;
        if *held.get() == 0 {
            held.remove();
        }
    }
}

/// Returns true if a holder of `held` units has less than four fifths of `found`, the units that the other
/// holders do not hold.
fn leaves_a_part(held: u64, found: u64) -> bool {
    held < found - reserve(found)
}
