//! All live sessions of a gateway.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::id::LiveId;
use super::session::LiveSession;

/// The number of sessions that are over and whose events are kept, for each that may be open.
const KEPT_FOR_EACH_OPEN: usize = 4;

/// All live sessions of a gateway: those that are open, and those that are over and whose events can still be read.
#[derive(Debug, Default)]
pub struct LiveSessions(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<LiveId, Arc<LiveSession>>,
    /// The number of sessions that are open, or about to be.
    open: usize,
    /// The largest number of open sessions, as it was when the last one was opened.
    max_open: usize,
    /// The sessions that are over, in the order of their ends.
    over: VecDeque<LiveId>,
}

/// The error of a gateway that has as many open sessions as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The gateway has {max} live sessions, as many as it may have. Please try again.")]
pub struct TooManySessions {
    max: usize,
}

/// The place of an open session. Dropping it makes the place free.
#[derive(Debug)]
pub struct SessionSlot(Arc<LiveSessions>);

impl LiveSessions {
    /// Takes a place for another session, of `max` places.
    pub fn take_slot(self: &Arc<Self>, max: usize) -> Result<SessionSlot, TooManySessions> {
        let mut sessions = self.lock();
        sessions.max_open = max;
        if sessions.open >= max {
            return Err(TooManySessions { max });
        }
        sessions.open += 1;
        Ok(SessionSlot(Arc::clone(self)))
    }

    /// Returns the session of this id.
    pub fn find(&self, id: &str) -> Option<Arc<LiveSession>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Returns the number of open sessions.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// Adds a session.
    pub(super) fn add(&self, session: &Arc<LiveSession>) {
        self.lock().by_id.insert(session.id().clone(), Arc::clone(session));
    }

    /// Records that a session is over. If too many are, the one that has been over for longest is forgotten.
    pub(super) fn ended(&self, id: &LiveId) {
        let mut forgotten = Vec::new();
        let mut sessions = self.lock();
        if !sessions.by_id.contains_key(id) {
            return;
        }
        sessions.over.push_back(id.clone());
        while sessions.over.len() > sessions.max_open.saturating_mul(KEPT_FOR_EACH_OPEN) {
            let oldest = sessions.over.pop_front();
            forgotten.extend(oldest.and_then(|oldest| sessions.by_id.remove(&oldest)));
        }
        drop(sessions);
        // A file is closed outside the lock.
        drop(forgotten);
    }

    /// Forgets a session.
    pub fn forget(&self, id: &LiveId) {
        let forgotten = {
            let mut sessions = self.lock();
            sessions.over.retain(|over| over != id);
            sessions.by_id.remove(id)
        };
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // A panic under the lock cannot leave a partial change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionSlot {
    pub(super) fn sessions(&self) -> &Arc<LiveSessions> {
        &self.0
    }
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        let mut sessions = self.0.lock();
        sessions.open = sessions.open.saturating_sub(1);
    }
}
