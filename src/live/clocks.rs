//! The times at which a session ends by itself.

use std::time::Duration;

use tokio::time::Instant;

/// The clocks of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    idle_timeout: Duration,
    last_audio: Instant,
    expires: Instant,
}

impl Clocks {
    /// Starts the clocks.
    pub(super) fn start(idle_timeout: Duration, max_time: Duration) -> Self {
        let now = Instant::now();
        Self { idle_timeout, last_audio: now, expires: now + max_time }
    }

    /// Records that audio came.
    pub(super) fn heard(&mut self) {
        self.last_audio = Instant::now();
    }

    /// Allows the client to wait for this time before it sends audio again.
    pub(super) fn allow_wait(&mut self, wait: Duration) {
        self.last_audio = Instant::now() + wait;
    }

    /// Returns the time at which the session ends by itself if no more audio comes.
    pub(super) fn end(&self) -> Instant {
        self.expires.min(self.last_audio + self.idle_timeout)
    }

    /// Returns true if the session ends by itself now. One that is busy with a piece is not idle.
    pub(super) fn is_due(&mut self, is_busy: bool) -> bool {
        let now = Instant::now();
        if is_busy && now < self.expires {
            self.last_audio = now;
        }
        self.end() <= now
    }
}
