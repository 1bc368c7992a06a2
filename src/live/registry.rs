//! All live sessions of a gateway.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::id::LiveId;
use super::session::LiveSession;
use super::turns::count_none;
use crate::fair_share::{FairShare, Refused, Reservation, ShareKey, Shares};

/// All live sessions of a gateway: those that are open, which callers share fairly, and those that are over and whose events
/// can still be read.
#[derive(Debug)]
pub struct LiveSessions {
    places: Arc<FairShare>,
    max: usize,
    sessions: Mutex<Sessions>,
    /// The number of open sessions.
    open: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<LiveId, Arc<LiveSession>>,
    /// The sessions that are over, in the order of their ends.
    over: VecDeque<Arc<LiveSession>>,
}

/// The place of an open session. Dropping it makes the place free.
#[derive(Debug)]
pub struct SessionSlot {
    sessions: Arc<LiveSessions>,
    _place: Reservation,
}

impl LiveSessions {
    /// Creates the sessions of a gateway that has at most `max` open ones, and keeps the events of as many that are over.
    pub fn new(max: usize) -> Arc<Self> {
        count_none();
        let places = FairShare::new(Shares::new(u64::try_from(max).unwrap_or(u64::MAX)));
        let (open, stopping) = (watch::Sender::new(0), watch::Sender::new(false));
        Arc::new(Self { places, max, sessions: Mutex::default(), open, stopping })
    }

    /// Takes a place for another session of the caller of `key`.
    pub fn take_slot(self: &Arc<Self>, key: ShareKey) -> Result<SessionSlot, Refused> {
        let place = self.places.try_acquire(key, 1)?;
        self.open.send_modify(|open| *open = open.saturating_add(1));
        Ok(SessionSlot { sessions: Arc::clone(self), _place: place })
    }

    /// Returns the session of this id.
    pub fn find(&self, id: &str) -> Option<Arc<LiveSession>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Returns the number of open sessions.
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Returns the largest number of open sessions.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Ends all sessions, as their callers would, and waits until they are over or `time` has passed.
    pub async fn stop(&self, time: Duration) {
        self.stopping.send_replace(true);
        let all_over = async { self.open.subscribe().wait_for(|open| *open == 0).await.is_ok() };
        if timeout(time, all_over).await.is_err() {
            tracing::warn!(sessions = self.open(), "live sessions are not over in time, and are dropped");
        }
    }

    /// Waits until the gateway stops.
    pub(super) async fn stopping(&self) {
        // The state lives as long as this value.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Adds a session.
    pub(super) fn add(&self, session: &Arc<LiveSession>) {
        self.lock().by_id.insert(session.id().clone(), Arc::clone(session));
    }

    /// Records that a session is over. If too many are, the oldest of the caller with the most of them is forgotten.
    pub(super) fn ended(&self, id: &LiveId) {
        let mut forgotten = Vec::new();
        let mut sessions = self.lock();
        let Some(session) = sessions.by_id.get(id).cloned() else { return };
        sessions.over.push_back(session);
        while sessions.over.len() > self.max {
            let Some(session) = sessions.take_oldest_of_most() else { break };
            sessions.by_id.remove(session.id());
            forgotten.push(session);
        }
        drop(sessions);
        // A file is closed outside the lock.
        drop(forgotten);
    }

    /// Forgets a session.
    pub fn forget(&self, id: &LiveId) {
        let forgotten = {
            let mut sessions = self.lock();
            sessions.over.retain(|over| over.id() != id);
            sessions.by_id.remove(id)
        };
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // A panic under the lock cannot leave a partial change.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// Takes the oldest session that is over of the caller that has the most of them.
    fn take_oldest_of_most(&mut self) -> Option<Arc<LiveSession>> {
        let mut counts: HashMap<ShareKey, usize> = HashMap::new();
        for session in &self.over {
            *counts.entry(session.share_key()).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count)?.0;
        let oldest = self.over.iter().position(|session| session.share_key() == most)?;
        self.over.remove(oldest)
    }
}

impl SessionSlot {
    pub(super) fn sessions(&self) -> &Arc<LiveSessions> {
        &self.sessions
    }
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        self.sessions.open.send_modify(|open| *open = open.saturating_sub(1));
    }
}
