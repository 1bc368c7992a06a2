//! The operator's signals to a gateway that runs by itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, caught from [`Signals::catch`] on: one that comes before the gateway listens is not lost and does not kill
/// the process.
#[derive(Debug)]
pub struct Signals {
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    pub(super) hangup: Signal,
}

impl Signals {
    /// Catches SIGTERM, Ctrl-C and SIGHUP for the rest of the process's life. Call it on a tokio runtime.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
