//! The open connections and their limit: at the limit, a new connection replaces the one that has been idle for
//! longest.
//!
//! A connection is idle while it has no request in progress, so one with an incomplete head is idle. The limit never
//! closes a connection with a request in progress.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::close_reason::CloseReason;

/// The state of a connection with a request in progress.
const BUSY: u64 = u64::MAX;

/// The state of a connection that is closed or about to close.
const CLOSED: u64 = u64::MAX - 1;

/// The divisor of the idle connections that one search for the idlest keeps for later: one in 16.
const CANDIDATE_SHARE: usize = 16;

/// The connections of one listener.
pub struct OpenConnections {
    max: usize,
    max_per_address: Option<usize>,
    /// The counter of idle turns: a connection takes a number when it becomes idle, so a smaller number is an earlier
    /// time.
    turns: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// The connections by the address of the client.
    by_address: HashMap<IpAddr, Vec<Arc<Entry>>>,
    count: usize,
    /// The longest-idle connections at the last search, each with its turn, oldest first.
    idlest: VecDeque<(u64, Arc<Entry>)>,
}

struct Entry {
    address: IpAddr,
    /// The turn at which it became idle, [`BUSY`] or [`CLOSED`].
    state: AtomicU64,
    closing: Notify,
}

/// A connection that counts as open until it is dropped.
pub(in crate::transport) struct OpenConnection {
    connections: Arc<OpenConnections>,
    entry: Arc<Entry>,
}

impl OpenConnections {
    /// Allows `max` connections at once, and `max_per_address` from one address.
    pub fn new(max: usize, max_per_address: Option<usize>) -> Arc<Self> {
        CloseReason::ALL.into_iter().for_each(CloseReason::begin_at_zero);
        let (turns, open) = (AtomicU64::new(0), Mutex::default());
        Arc::new(Self { max: max.max(1), max_per_address, turns, open })
    }

    /// Returns the number of open connections.
    pub fn count(&self) -> usize {
        self.open().count
    }

    /// Returns the maximum number of open connections.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Counts a new connection. At a limit, closes the idlest one first; `None` if none is idle.
    pub(super) fn enter(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<OpenConnection> {
        let address = client(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let mut open = self.open();
        let own = open.by_address.get(&address).map_or(0, Vec::len);
        if self.max_per_address.is_some_and(|max| own >= max) && !open.close_idlest_of(address) {
            CloseReason::AddressLimit.count();
            return None;
        }
        if open.count >= self.max && !open.close_idlest() {
            CloseReason::Limit.count();
            return None;
        }
        let entry = Arc::new(Entry { address, state: AtomicU64::new(self.turn()), closing: Notify::new() });
        open.by_address.entry(address).or_default().push(Arc::clone(&entry));
        open.count += 1;
        Some(OpenConnection { connections: Arc::clone(self), entry })
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // No panic under the lock can leave a partial change.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn close_idlest(&mut self) -> bool {
        loop {
            if self.idlest.is_empty() {
                self.find_idlest();
            }
            let Some((since, entry)) = self.idlest.pop_front() else { return false };
            if self.close(&entry, since) {
                return true;
            }
        }
    }

    /// Refills `idlest`. All other connections become idle later than these, so these stay the idlest until they are
    /// used up.
    fn find_idlest(&mut self) {
        let all = self.by_address.values().flatten();
        let mut idle: Vec<_> = all.filter_map(|entry| Some((entry.idle_since()?, Arc::clone(entry)))).collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        idle.truncate(idle.len() / CANDIDATE_SHARE + 1);
        self.idlest = idle.into();
    }

    fn close_idlest_of(&mut self, address: IpAddr) -> bool {
        loop {
            let own = self.by_address.get(&address).into_iter().flatten();
            let idle = own.filter_map(|entry| Some((entry.idle_since()?, Arc::clone(entry))));
            let Some((since, entry)) = idle.min_by_key(|(since, _)| *since) else { return false };
            if self.close(&entry, since) {
                return true;
            }
        }
    }

    /// Closes a connection, unless a request has begun on it since the search.
    fn close(&mut self, entry: &Arc<Entry>, since: u64) -> bool {
        if entry.state.compare_exchange(since, CLOSED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return false;
        }
        self.remove(entry);
        entry.closing.notify_one();
        CloseReason::Idle.count();
        true
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        let Some(own) = self.by_address.get_mut(&entry.address) else { return };
        if let Some(at) = own.iter().position(|other| Arc::ptr_eq(other, entry)) {
            own.swap_remove(at);
            self.count = self.count.saturating_sub(1);
        }
        if own.is_empty() {
            self.by_address.remove(&entry.address);
        }
    }
}

impl Entry {
    fn idle_since(&self) -> Option<u64> {
        Some(self.state.load(Ordering::Acquire)).filter(|state| *state < CLOSED)
    }
}

impl OpenConnection {
    /// Marks the connection as busy. Returns `false` if it is about to close, so that no request can begin.
    pub(super) fn request_begins(&self) -> bool {
        let begins = |state| (state != CLOSED).then_some(BUSY);
        self.entry.state.try_update(Ordering::AcqRel, Ordering::Acquire, begins).is_ok()
    }

    /// Marks the connection as idle.
    pub(super) fn becomes_idle(&self) {
        let turn = self.connections.turn();
        let idle = |state| (state != CLOSED).then_some(turn);
        let _ = self.entry.state.try_update(Ordering::AcqRel, Ordering::Acquire, idle);
    }

    /// Waits until this connection must close to make room for another.
    pub(super) async fn must_close(&self) {
        self.entry.closing.notified().await;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if self.entry.state.swap(CLOSED, Ordering::AcqRel) != CLOSED {
            self.connections.open().remove(&self.entry);
        }
    }
}

/// Returns the address that identifies a client. Providers assign at least a /64 of IPv6, so all addresses in one /64
/// count as one client.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_closed(connection: &OpenConnection) -> bool {
        connection.must_close().now_or_never().is_some()
    }

    #[test]
    fn the_one_that_has_been_idle_for_longest_makes_room() {
        let connections = OpenConnections::new(3, None);
        let enter = || connections.enter(Some(address(1)));
        let (first, second, third) = (enter().unwrap(), enter().unwrap(), enter().unwrap());
        // The first is busy, and the second was busy until after the third connected.
        assert!(first.request_begins() && second.request_begins());
        second.becomes_idle();
        let fourth = enter().unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(is_closed), [false, false, true, false]);
        assert!(!third.request_begins(), "it is about to be closed");
        assert!(fourth.request_begins() && second.request_begins());
        assert!(enter().is_none(), "each has a request in progress");
        drop(third);
        assert_eq!(connections.count(), 3);
        second.becomes_idle();
        assert!(enter().is_some_and(|_| is_closed(&second)));
    }

    #[test]
    fn an_address_that_has_its_share_takes_from_itself_alone() {
        let connections = OpenConnections::new(10, Some(2));
        let others = connections.enter(Some(address(2))).unwrap();
        let own: Vec<_> = (0..2).map(|_| connections.enter(Some(address(1))).unwrap()).collect();
        let third = connections.enter(Some(address(1))).unwrap();
        assert_eq!((is_closed(&others), is_closed(&own[0]), is_closed(&own[1])), (false, true, false));
        assert!(own[1].request_begins() && third.request_begins());
        assert!(connections.enter(Some(address(1))).is_none());
        assert!(connections.enter(Some("::ffff:192.0.2.1".parse().unwrap())).is_none(), "it is the same in disguise");
        let v6 = |text: &str| connections.enter(Some(text.parse().unwrap()));
        let (one, two) = (v6("2001:db8::1").unwrap(), v6("2001:db8::ffff:2").unwrap());
        assert!(one.request_begins() && two.request_begins());
        assert!(v6("2001:db8::3").is_none());
        assert!(v6("2001:db8:0:1::3").is_some());
    }

    proptest! {
        /// Compares with a model that keeps the connections in a list, the idlest first.
        #[test]
        fn whatever_happens_the_idlest_is_the_one_that_is_closed(
            max in 1..40_usize,
            steps in prop::collection::vec((0..4_u8, any::<prop::sample::Index>()), 1..200),
        ) {
            let connections = OpenConnections::new(max, None);
            let (mut idle, mut busy): (Vec<OpenConnection>, Vec<OpenConnection>) = Default::default();
            for (step, index) in steps {
                match step {
                    0 | 1 => match connections.enter(Some(address(1))) {
                        None => prop_assert!(idle.is_empty() && busy.len() == max),
                        Some(new) => {
                            if idle.len() + busy.len() == max {
                                prop_assert!(is_closed(&idle.remove(0)));
                            }
                            idle.push(new);
                        }
                    },
                    2 if !idle.is_empty() => {
                        let connection = idle.remove(index.index(idle.len()));
                        prop_assert!(connection.request_begins());
                        busy.push(connection);
                    }
                    3 if !busy.is_empty() => {
                        let connection = busy.swap_remove(index.index(busy.len()));
                        connection.becomes_idle();
                        idle.push(connection);
                    }
                    3 if !idle.is_empty() => drop(idle.remove(index.index(idle.len()))),
                    _ => {}
                }
                prop_assert_eq!(connections.count(), idle.len() + busy.len());
                prop_assert!(!idle.iter().chain(&busy).any(is_closed));
            }
        }
    }
}
