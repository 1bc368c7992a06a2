//! The clock of the limits that are kept in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::domain::UnixMs;

/// A clock with two readings: steady time, which never steps back, for rates and leases; and calendar time, for months.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System {
        started: Instant,
    },
    /// A clock that tests move by hand; both readings are the same, in nanoseconds since 1970.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Returns the system's clock.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// Returns a clock that stands at `time` until it is advanced: for tests of long periods.
    pub fn manual(time: UnixMs) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(time.get().saturating_mul(1_000_000)))))
    }

    /// Advances a manual clock. The system's clock stays as it is.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(nanos) = &self.0 {
            nanos.fetch_add(u64::try_from(span.as_nanos()).unwrap_or_default(), Ordering::SeqCst);
        }
    }

    /// Returns the time since some fixed moment in the past; it never steps back.
    pub fn steady(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }

    /// Returns the calendar time.
    pub fn now(&self) -> UnixMs {
        match &self.0 {
            Source::System { .. } => UnixMs::now(),
            Source::Manual(nanos) => UnixMs::new(nanos.load(Ordering::SeqCst) / 1_000_000),
        }
    }
}
