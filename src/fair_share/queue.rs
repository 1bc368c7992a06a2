//! A bounded queue that callers share, and that serves them in turn.

use std::collections::VecDeque;

use super::key::ShareKey;
use super::refused::Refused;
use super::shares::Shares;
use super::turns::Turns;

/// Entries that wait, by caller and session: one of each caller, and within a caller one of each session, is served
/// before the next of any.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    shares: Shares,
    callers: Turns<u64, Turns<Option<u64>, Lane<T>>>,
    next_id: u64,
}

type Lane<T> = VecDeque<Waiting<T>>;

#[derive(Debug)]
struct Waiting<T> {
    ticket: Ticket,
    entry: T,
}

/// The name of an entry of a [`FairQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    key: ShareKey,
    id: u64,
}

impl<T> FairQueue<T> {
    /// Creates an empty queue for `capacity` entries.
    pub(crate) fn new(capacity: u64) -> Self {
        Self { shares: Shares::new(capacity), callers: Turns::default(), next_id: 0 }
    }

    /// Returns the number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.shares.held()
    }

    /// Returns the maximum number of entries.
    pub(crate) fn capacity(&self) -> u64 {
        self.shares.capacity()
    }

    /// Adds an entry at the end of the lane of `key`, if the rule allows.
    pub(crate) fn push(&mut self, key: ShareKey, entry: T) -> Result<Ticket, Refused> {
        self.shares.check(key, 1)?;
        let ticket = Ticket { key, id: self.next_id };
        self.next_id += 1;
        self.put_back(ticket, entry);
        Ok(ticket)
    }

    /// Adds an entry that was popped at the end of its lane, whatever the rule says: it was allowed once.
    pub(crate) fn put_back(&mut self, ticket: Ticket, entry: T) {
        let key = ticket.key;
        self.shares.add(key, 1);
        let waiting = Waiting { ticket, entry };
        self.callers.add(key.caller(), |sessions| sessions.add(key.session(), |lane| lane.push_back(waiting)));
    }

    /// Takes the next entry in turn.
    pub(crate) fn pop(&mut self) -> Option<(Ticket, T)> {
        let of_caller = |sessions: &mut Turns<_, Lane<T>>| sessions.serve(VecDeque::pop_front, VecDeque::is_empty);
        let Waiting { ticket, entry } = self.callers.serve(of_caller, Turns::is_empty)?;
        self.shares.give_back(ticket.key, 1);
        Some((ticket, entry))
    }

    /// Takes an entry out, wherever it is in the order.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let of_lane = |lane: &mut Lane<T>| {
            let index = lane.iter().position(|waiting| waiting.ticket == ticket)?;
            lane.remove(index)
        };
        let of_caller = |sessions: &mut Turns<_, _>| sessions.remove(ticket.key.session(), of_lane, VecDeque::is_empty);
        let removed = self.callers.remove(ticket.key.caller(), of_caller, Turns::is_empty)?;
        self.shares.give_back(ticket.key, 1);
        Some(removed.entry)
    }

    /// Takes all entries out.
    pub(crate) fn clear(&mut self) {
        while self.pop().is_some() {}
    }
}
