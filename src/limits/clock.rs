//! What time it is, for the limits that are kept in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::domain::UnixMs;

/// Two readings of time: one that never steps back, for rates and leases, and the calendar's, for months.
#[derive(Debug, Clone)]
pub struct Clock(Hand);

#[derive(Debug, Clone)]
enum Hand {
    System {
        started: Instant,
    },
    /// Moved by hand; both readings are the same, in nanoseconds since 1970.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self(Hand::System { started: Instant::now() })
    }

    /// One that stands at `time` until it is moved on: for tests of what takes months.
    pub fn manual(time: UnixMs) -> Self {
        Self(Hand::Manual(Arc::new(AtomicU64::new(time.get().saturating_mul(1_000_000)))))
    }

    /// Moves a manual clock on. The system's is not ours to move.
    pub fn advance(&self, span: Duration) {
        if let Hand::Manual(nanos) = &self.0 {
            nanos.fetch_add(u64::try_from(span.as_nanos()).unwrap_or_default(), Ordering::SeqCst);
        }
    }

    /// Time since some moment before everything else; it never steps back.
    pub fn steady(&self) -> Duration {
        match &self.0 {
            Hand::System { started } => started.elapsed(),
            Hand::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }

    /// The time of the calendar.
    pub fn now(&self) -> UnixMs {
        match &self.0 {
            Hand::System { .. } => UnixMs::now(),
            Hand::Manual(nanos) => UnixMs::new(nanos.load(Ordering::SeqCst) / 1_000_000),
        }
    }
}
