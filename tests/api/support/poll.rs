//! Waits for what cannot notify a test: another process, its files, its counters.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails. Only a test that fails waits so long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// Lets time pass, for a client or a provider that is slow, or a limit that is a time. To wait for something, use [`until`].
pub(crate) async fn let_pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Repeats `check` until it succeeds, and returns what it found. Panics with its last error when that takes too long.
pub(crate) async fn until<T, E: Display>(what: &str, check: impl AsyncFnMut() -> Result<T, E>) -> T {
    until_within(TIMEOUT, what, check).await
}

/// Like [`until`], with another timeout.
pub(crate) async fn until_within<T, E: Display>(
    timeout: Duration,
    what: &str,
    mut check: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        match check().await {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < deadline, "waited {timeout:?} until {what}: {error}"),
        }
        // This test's thread shall not take the processor from whoever it waits for.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
