//! Waits that are not all equal.

use std::time::Duration;

/// Returns a wait with up to a quarter more, so that clients that were refused together do not come back together.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + fastrand::f64() / 4.0)
}
