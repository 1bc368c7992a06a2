//! Queues that are served in turn.

use std::collections::VecDeque;

/// A lane for each key with waiting entries. The lane to be served next is in front.
#[derive(Debug)]
pub(super) struct Turns<K, L>(VecDeque<(K, L)>);

impl<K, L> Default for Turns<K, L> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K, L> Turns<K, L> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Serves the lane in front: `take` takes an entry out of it. A lane that is not empty afterwards goes to the end.
    pub(super) fn serve<T>(
        &mut self,
        take: impl FnOnce(&mut L) -> Option<T>,
        is_empty: impl FnOnce(&L) -> bool,
    ) -> Option<T> {
        let (key, mut lane) = self.0.pop_front()?;
        let taken = take(&mut lane);
        if !is_empty(&lane) {
            self.0.push_back((key, lane));
        }
        taken
    }
}

impl<K: Copy + PartialEq, L: Default> Turns<K, L> {
    /// Puts an entry into the lane of `key`. A new lane goes to the end.
    pub(super) fn add(&mut self, key: K, put: impl FnOnce(&mut L)) {
        if let Some((_, lane)) = self.0.iter_mut().find(|(other, _)| *other == key) {
            return put(lane);
        }
        let mut lane = L::default();
        put(&mut lane);
        self.0.push_back((key, lane));
    }

    /// Takes an entry out of the lane of `key`, at any place in the order, and removes the lane if it is empty
    /// afterwards.
    pub(super) fn remove<T>(
        &mut self,
        key: K,
        take: impl FnOnce(&mut L) -> Option<T>,
        is_empty: impl FnOnce(&L) -> bool,
    ) -> Option<T> {
        let index = self.0.iter().position(|(other, _)| *other == key)?;
        let (_, lane) = self.0.get_mut(index)?;
        let taken = take(lane);
        if is_empty(lane) {
            self.0.remove(index);
        }
        taken
    }
}
