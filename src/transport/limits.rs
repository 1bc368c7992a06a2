//! The time limits for an inactive client.

use std::time::Duration;

use crate::config::Server;

/// The time for which a client that was refused early may go on sending, so that it sees the answer and no reset.
pub(super) const LINGERING_CLOSE: Duration = Duration::from_secs(5);

/// The time for which a client may stay idle after the gateway asked it to leave, and for which a client that connects
/// during shutdown may still send a request.
pub(super) const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// The time limits that the settings state.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// The time limit between two requests.
    pub keep_alive: Duration,
    /// The time limit from the first byte of a head to its last.
    pub head: Duration,
    /// The time limit for the client to read data that waits for it.
    pub write: Duration,
}

impl From<&Server> for TimeLimits {
    fn from(server: &Server) -> Self {
        Self { keep_alive: server.keep_alive, head: server.header_timeout, write: server.write_timeout }
    }
}
