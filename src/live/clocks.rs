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

    /// Returns the time at which the session ends by itself if no more audio comes.
    pub(super) fn end(&self) -> Instant {
        self.expires.min(self.last_audio + self.idle_timeout)
    }
}
