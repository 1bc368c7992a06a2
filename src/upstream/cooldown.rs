//! A pause in the use of something that failed, and then a probe by one request at a time.

use std::time::Duration;

use tokio::time::Instant;

/// The longest wait for another request's probe: it ends as soon as that request does, at a time that is not known.
const MAX_PROBE_WAIT: Duration = Duration::from_secs(1);

/// The state of a pause: none, until a time, or being probed.
#[derive(Debug, Default)]
pub(super) struct Cooldown {
    until: Option<Instant>,
    /// The request that probes now, and the time until which other requests wait for it.
    probe: Option<(Probe, Instant)>,
    probes: u64,
}

/// A request that probes after the pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe(u64);

impl Cooldown {
    /// Returns the time until a request may use it; zero if it may do so now.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let rest = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let probe = self.probe.filter(|_| rest.is_zero());
        probe.map_or(rest, |(_, until)| MAX_PROBE_WAIT.min(until.saturating_duration_since(now)))
    }

    /// True if the pause, or the probe after it, is not over.
    pub(super) fn is_active(&self) -> bool {
        self.until.is_some()
    }

    /// Returns the rest of the pause; zero if a probe may go there, `None` if there is no pause.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now))
    }

    /// Records the use by a request that [`Cooldown::wait`] allows. Returns `None` if the request is not a probe. If a
    /// probe takes longer than `timeout`, which may be due to its client, the next request may probe.
    pub(super) fn begin_probe(&mut self, now: Instant, timeout: Duration) -> Option<Probe> {
        self.until?;
        self.probes = self.probes.wrapping_add(1);
        let probe = Probe(self.probes);
        self.probe = Some((probe, now + timeout));
        Some(probe)
    }

    /// Starts a pause that lasts until `until`.
    pub(super) fn start(&mut self, until: Instant) {
        self.until = Some(until);
        self.probe = None;
    }

    /// Ends the pause. Returns true if there was one.
    pub(super) fn end(&mut self) -> bool {
        self.probe = None;
        self.until.take().is_some()
    }

    /// True if `probe` is the current probe, and not an earlier one.
    pub(super) fn is_current_probe(&self, probe: Option<Probe>) -> bool {
        probe.is_some() && probe == self.probe.map(|(probe, _)| probe)
    }

    /// Records that a probe ended without a result: the next request may probe.
    pub(super) fn end_probe(&mut self, probe: Option<Probe>) {
        if self.is_current_probe(probe) {
            self.probe = None;
        }
    }
}
