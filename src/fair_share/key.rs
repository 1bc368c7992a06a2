//! The keys of holders.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The key of a holder: the accountable caller and, if the request came in a session, the session's subject. The values
/// are hashes with a key of this process, so no client can choose a subject that collides with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShareKey {
    caller: u64,
    session: Option<u64>,
}

impl ShareKey {
    /// Returns the key of a caller with its own token.
    pub fn of_caller(subject: &str) -> Self {
        Self { caller: hash(subject), session: None }
    }

    /// Returns the key of the session that `maker` created for `subject`.
    pub fn of_session(maker: &str, subject: &str) -> Self {
        Self { caller: hash(maker), session: Some(hash(subject)) }
    }

    /// Returns a unique key, for a holder without a caller.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { caller: HASHER.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)), session: None }
    }

    /// Returns the accountable caller.
    pub(crate) const fn caller(&self) -> u64 {
        self.caller
    }

    /// Returns the session of that caller, if there is one.
    pub(crate) const fn session(&self) -> Option<u64> {
        self.session
    }
}

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

fn hash(subject: &str) -> u64 {
    HASHER.hash_one(subject)
}
