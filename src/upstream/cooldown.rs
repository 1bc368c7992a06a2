//! A pause in the use of something that failed, and then a probe by one request at a time.

use std::time::Duration;

use tokio::time::Instant;

/// The wait for another request's probe: the probe ends as soon as that request does, at a time that is not known.
const TRIAL: Duration = Duration::from_secs(1);

/// The state of a pause: none, until a time, or being probed.
#[derive(Debug, Default)]
pub(super) struct Cooldown {
    until: Option<Instant>,
    /// The request that probes now, and the time until which other requests wait for it.
    trial: Option<(Probe, Instant)>,
    trials: u64,
}

/// A request that probes after the pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe(u64);

impl Cooldown {
    /// Returns the time until a request may use it; zero if it may do so now.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let rest = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let trial = self.trial.filter(|_| rest.is_zero());
        trial.map_or(rest, |(_, until)| TRIAL.min(until.saturating_duration_since(now)))
    }

    /// True if the pause, or the probe after it, is not over.
    pub(super) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Returns the rest of the pause; zero if a probe may go there, `None` if there is no pause.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now))
    }

    /// Records the use by a request that [`Cooldown::wait`] allows. Returns `None` if the request is not a probe. If a
    /// probe takes longer than `patience`, which may be due to its client, the next request may probe.
    pub(super) fn ask(&mut self, now: Instant, patience: Duration) -> Option<Probe> {
        self.until?;
        self.trials = self.trials.wrapping_add(1);
        let trial = Probe(self.trials);
        self.trial = Some((trial, now + patience));
        Some(trial)
    }

    /// Starts a pause that lasts until `until`.
    pub(super) fn begin(&mut self, until: Instant) {
        self.until = Some(until);
        self.trial = None;
    }

    /// Ends the pause. Returns true if there was one.
    pub(super) fn end(&mut self) -> bool {
        self.trial = None;
        self.until.take().is_some()
    }

    /// True if `trial` is the current probe, and not an earlier one.
    pub(super) fn is_tried_by(&self, trial: Option<Probe>) -> bool {
        trial.is_some() && trial == self.trial.map(|(trial, _)| trial)
    }

    /// Records that a probe ended without a result: the next request may probe.
    pub(super) fn nothing_learnt(&mut self, trial: Option<Probe>) {
        if self.is_tried_by(trial) {
            self.trial = None;
        }
    }
}
