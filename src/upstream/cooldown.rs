//! Leaving something alone for a while, and then trying it with one request at a time.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait for a trial that somebody else makes: it ends as soon as that request does, which nobody can know.
const TRIAL: Duration = Duration::from_secs(1);

/// Whether something is left alone, and until when.
#[derive(Debug, Default)]
pub(super) struct Cooldown {
    until: Option<Instant>,
    /// The one that goes there, and until when the others wait for it.
    trial: Option<(Probe, Instant)>,
    trials: u64,
}

/// A request by which something that was left alone is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe(u64);

impl Cooldown {
    /// How long until a request may go there; nothing: now.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let rest = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let trial = self.trial.filter(|_| rest.is_zero());
        trial.map_or(rest, |(_, until)| TRIAL.min(until.saturating_duration_since(now)))
    }

    /// Whether it is left alone, or on trial.
    pub(super) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// How much longer it is left alone by all; nothing: it may be tried; `None`: it is not left alone.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now))
    }

    /// A request goes there, when [`Cooldown::wait`] allows it; `None`: an ordinary one. If it takes longer than `patience`,
    /// which may be its client's doing, the next may try.
    pub(super) fn ask(&mut self, now: Instant, patience: Duration) -> Option<Probe> {
        self.until?;
        self.trials = self.trials.wrapping_add(1);
        let trial = Probe(self.trials);
        self.trial = Some((trial, now + patience));
        Some(trial)
    }

    /// It is left alone from now on.
    pub(super) fn begin(&mut self, until: Instant) {
        self.until = Some(until);
        self.trial = None;
    }

    /// It is not left alone any more. Whether it was.
    pub(super) fn end(&mut self) -> bool {
        self.trial = None;
        self.until.take().is_some()
    }

    /// Whether this is the request on which it is tried now, and not one from before.
    pub(super) fn is_tried_by(&self, trial: Option<Probe>) -> bool {
        trial.is_some() && trial == self.trial.map(|(trial, _)| trial)
    }

    /// A trial has ended without showing anything: the next may try.
    pub(super) fn nothing_learnt(&mut self, trial: Option<Probe>) {
        if self.is_tried_by(trial) {
            self.trial = None;
        }
    }
}
