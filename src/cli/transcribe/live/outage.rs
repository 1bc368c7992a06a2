//! Retries of requests to a gateway that does not answer.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::display::Display;
use super::super::jitter::jittered;
use super::error::LiveError;

/// The first and the longest wait before a gateway that does not answer is asked again.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The number of failures in a row that are not reported: an idle connection may close at any time.
const QUIET_FAILURES: u32 = 1;

/// An outage: the time for which a gateway has given no usable answer, and the waits between requests.
pub(super) struct Outage<'a> {
    display: &'a Display,
    /// The time after which the gateway is given up.
    max: Duration,
    failing_since: Option<Instant>,
    failures: u32,
    wait: Duration,
}

impl<'a> Outage<'a> {
    pub(super) fn new(display: &'a Display, max: Duration) -> Self {
        Self { display, max, failing_since: None, failures: 0, wait: FIRST_WAIT }
    }

    /// Records a usable answer.
    pub(super) fn answered(&mut self) {
        if self.failures > QUIET_FAILURES {
            self.display.note("the gateway answers again");
        }
        *self = Self::new(self.display, self.max);
    }

    /// Waits before the gateway is asked again after a failure, longer each time, and at least as long as it asks for. Fails
    /// if it has not answered for too long.
    pub(super) async fn wait(&mut self, reason: &str, asked: Option<Duration>) -> Result<(), LiveError> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.max {
            return Err(LiveError::NoAnswer { time: self.max, reason: reason.to_owned() });
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures == QUIET_FAILURES + 1 {
            self.display.note(&format!("the gateway is asked again and again: {reason}"));
        }
        let wait = jittered(self.wait).max(asked.unwrap_or_default());
        self.wait = self.wait.saturating_mul(2).min(MAX_WAIT);
        sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end_with_the_outage() {
        let display = Display::without_bars(true);
        let mut outage = Outage::new(&display, Duration::from_mins(1));
        let mut waits = Vec::new();
        let error = loop {
            let before = Instant::now();
            match outage.wait("no connection", None).await {
                Ok(()) => waits.push(before.elapsed()),
                Err(error) => break error,
            }
        };
        assert!(waits[0] >= FIRST_WAIT && waits[0] < FIRST_WAIT * 2, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= MAX_WAIT * 2) && waits.last().unwrap() >= &MAX_WAIT, "{waits:?}");
        assert!(waits.iter().sum::<Duration>() >= Duration::from_mins(1), "{waits:?}");
        assert_eq!(error.to_string(), "the gateway has given no answer for 1m: no connection");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_outage() {
        let display = Display::without_bars(true);
        let mut outage = Outage::new(&display, Duration::from_secs(2));
        for _ in 0..50 {
            outage.wait("no connection", Some(Duration::from_millis(1500))).await.unwrap();
            outage.answered();
        }
    }
}
