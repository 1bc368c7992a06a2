//! The operator's signals to a gateway that runs by itself.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The time within which the same signal counts once: Ctrl-C reaches a process from its terminal, and again from a program
/// that started it and passes the signal on.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// The signals, caught from [`Signals::catch`] on: one that comes before the gateway listens is not lost and does not kill
/// the process.
#[derive(Debug)]
pub struct Signals {
    pub(super) terminate: StopSignal,
    pub(super) interrupt: StopSignal,
    pub(super) hangup: Signal,
}

impl Signals {
    /// Catches SIGTERM, Ctrl-C and SIGHUP for the rest of the process's life. Call it on a tokio runtime.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: StopSignal::catch(SignalKind::terminate())?,
            interrupt: StopSignal::catch(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// A signal that stops something, and stops it at once if it comes again.
#[derive(Debug)]
pub struct StopSignal {
    signal: Signal,
    repeats: Repeats,
}

impl StopSignal {
    /// Catches the signal for the rest of the process's life. Call it on a tokio runtime.
    pub fn catch(kind: SignalKind) -> io::Result<Self> {
        Ok(Self { signal: signal(kind)?, repeats: Repeats::default() })
    }

    /// Catches the signal after it came just now, or may have: what repeats that does not count.
    pub fn catch_again(kind: SignalKind) -> io::Result<Self> {
        Ok(Self { signal: signal(kind)?, repeats: Repeats { last: Some(Instant::now()) } })
    }

    /// Waits for the next signal that repeats none.
    pub async fn recv(&mut self) {
        loop {
            if self.signal.recv().await.is_none() {
                return std::future::pending().await;
            }
            if self.repeats.is_new(Instant::now()) {
                return;
            }
        }
    }
}

/// When a signal that counts came last.
#[derive(Debug, Default)]
struct Repeats {
    last: Option<Instant>,
}

impl Repeats {
    fn is_new(&mut self, now: Instant) -> bool {
        let is_new = self.last.is_none_or(|last| now.saturating_duration_since(last) >= ONE_SIGNAL);
        if is_new {
            self.last = Some(now);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_signal_at_once_counts_once() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let is_new = [0, 1, 499, 500, 501, 1500].map(|ms| repeats.is_new(start + Duration::from_millis(ms)));
        assert_eq!(is_new, [true, false, false, true, false, true]);
    }
}
