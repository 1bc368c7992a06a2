//! The candidates of one request: the model entries that can do its job, each with every key of its provider, and the
//! results of the attempts so far.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use self::wait::{CandidateWait, WaitLimits, common_reason, sleep_or_end};
use super::backoff::Backoff;
use super::error::UpstreamError;
use super::keyring::CandidateUnavailable;
use super::piece_group::PieceGroup;
use super::providers::{Provider, ProviderLease, Providers};
use super::request::{Deadline, Portion};
use super::retry::{FailureMeaning, FailureScope, RetryDecision};
use crate::config::Model;
use crate::models::TargetChain;

mod wait;

#[cfg(test)]
mod tests;

/// The longest pause of a piece, before its next attempt, while a provider that is over its limit names no time.
const MAX_PIECE_PAUSE: Duration = Duration::from_mins(1);
/// A candidate for the job: a model entry, and a key of its provider.
#[derive(Debug)]
struct Candidate {
    model: Arc<Model>,
    provider: Arc<Provider>,
    key: usize,
    /// The index of the model entry.
    target: usize,
    /// The order in which model entries are used. Entries with weights, among which the first attempt is drawn, rank first.
    rank: usize,
    model_weight: u32,
    key_weight: u32,
    /// The number of attempts with this candidate, including those of other candidates that failed for the same reason.
    attempts: u32,
    /// The earliest time of the next attempt.
    not_before: Option<Instant>,
    /// True if the provider was over its limit when it failed last.
    was_rate_limited: bool,
    /// True if this request must not use the candidate again.
    is_excluded: bool,
}

/// All candidates of one request.
#[derive(Debug)]
pub(super) struct Candidates {
    all: Vec<Candidate>,
    /// The candidate that was leased last.
    current: usize,
    /// The number of failed attempts.
    failures: u32,
    last_error: Option<UpstreamError>,
    /// The time at which the request began to wait for a candidate.
    waits_since: Option<Instant>,
    backoff: Backoff,
    random: fastrand::Rng,
}

/// A candidate that is usable now, with the lease on its provider.
#[derive(Debug)]
pub(super) struct LeasedCandidate {
    pub(super) lease: ProviderLease,
    pub(super) model: Arc<Model>,
}

/// The choice of the next candidate.
#[derive(Debug)]
enum Selection {
    /// This candidate, now.
    Use(usize),
    /// No candidate is usable at the moment, or none is left: the waits for those that are.
    Wait(Vec<CandidateWait>),
}

impl Candidates {
    pub(super) fn new(
        targets: &TargetChain,
        providers: &Providers,
        random: fastrand::Rng,
    ) -> Result<Self, UpstreamError> {
        let mut all = Vec::new();
        for (target, (model, weight)) in targets.models().zip(targets.weights()).enumerate() {
            let provider = providers.get(&model.provider).ok_or(UpstreamError::BadSettings)?;
            for (key, key_weight) in provider.weights().into_iter().enumerate() {
                all.push(Candidate {
                    model: Arc::clone(model),
                    provider: Arc::clone(provider),
                    key,
                    target,
                    rank: if weight.is_some() { 0 } else { target + 1 },
                    model_weight: weight.map_or(1, NonZeroU32::get),
                    key_weight,
                    attempts: 0,
                    not_before: None,
                    was_rate_limited: false,
                    is_excluded: false,
                });
            }
        }
        Ok(Self {
            all,
            current: 0,
            failures: 0,
            last_error: None,
            waits_since: None,
            backoff: providers.backoff,
            random,
        })
    }

    /// Waits for a usable candidate and leases it. The first attempt with a whole recording never waits: the client gets
    /// 503 with `Retry-After`. Later attempts, and pieces, return the last error if the wait is too long, and pieces also
    /// once another one has failed for good.
    pub(super) async fn lease_next(
        &mut self,
        deadline: Deadline,
        portion: &Portion,
    ) -> Result<LeasedCandidate, UpstreamError> {
        let begun = Instant::now();
        loop {
            let now = Instant::now();
            if portion.group().is_some_and(PieceGroup::has_ended) {
                return Err(self.unavailable(&[]));
            }
            if now >= deadline.beginning {
                return Err(self.last_error.take().unwrap_or(UpstreamError::Timeout));
            }
            match self.select(now) {
                Selection::Use(index) => {
                    // If another request was faster, the next pass of the loop sees that.
                    if let Some(leased) = self.lease(index, now) {
                        return Ok(leased);
                    }
                }
                Selection::Wait(waits) => match portion.waiting_group() {
                    None => self.wait_as_request(&waits, begun, deadline, portion).await?,
                    Some(group) => self.wait_as_piece(&waits, now, deadline, group).await?,
                },
            }
        }
    }

    /// Waits for a candidate of a request that has failed at others; `begun` is when it began to look for this one.
    async fn wait_as_request(
        &mut self,
        waits: &[CandidateWait],
        begun: Instant,
        deadline: Deadline,
        portion: &Portion,
    ) -> Result<(), UpstreamError> {
        let until = WaitLimits::of_request(begun, deadline).first_within(waits, Instant::now());
        let Some(until) = until.filter(|_| self.last_error.is_some()) else {
            return Err(self.unavailable(waits));
        };
        sleep_or_end(until.time, portion.group()).await;
        Ok(())
    }

    /// Waits for a candidate of a piece.
    async fn wait_as_piece(
        &mut self,
        waits: &[CandidateWait],
        now: Instant,
        deadline: Deadline,
        group: &PieceGroup,
    ) -> Result<(), UpstreamError> {
        let since = *self.waits_since.get_or_insert(now);
        let longest = WaitLimits::of_answered_piece(now, deadline);
        let limits = if group.is_answered() { longest } else { WaitLimits::of_first_piece(since, now, deadline) };
        if let Some(until) = limits.first_within(waits, now) {
            sleep_or_end(until.spread(now, deadline, &mut self.random), Some(group)).await;
        } else if longest.first_within(waits, now).is_some() && group.is_at_provider() {
            let _ = timeout_at(deadline.beginning, group.settled()).await;
        } else {
            return Err(self.unavailable(waits));
        }
        Ok(())
    }

    /// Returns the error for a request that waits no longer for its candidates.
    fn unavailable(&mut self, waits: &[CandidateWait]) -> UpstreamError {
        let first = || UpstreamError::Unavailable {
            reason: common_reason(waits),
            wait: waits.iter().map(|wait| wait.wait).min().unwrap_or(Duration::MAX),
        };
        self.last_error.take().unwrap_or_else(first)
    }

    /// Records that the attempt at the candidate that was leased last has failed. If it `waits_for_limit`, pauses grow
    /// longer.
    pub(super) fn record_failure(&mut self, error: UpstreamError, meaning: &FailureMeaning, waits_for_limit: bool) {
        self.last_error = Some(error);
        self.failures = self.failures.saturating_add(1);
        match meaning.decision {
            // No candidate is left.
            RetryDecision::GiveUp => self.all.clear(),
            RetryDecision::TryElsewhere { scope } => {
                self.affected(scope).for_each(|candidate| candidate.is_excluded = true);
            }
            RetryDecision::TryAgain { scope, retry_after } => {
                let backoff = if waits_for_limit { self.backoff.up_to(MAX_PIECE_PAUSE) } else { self.backoff };
                let pause = backoff.jittered(self.failures, &mut self.random);
                let not_before = Instant::now() + retry_after.map_or(pause, |wait| wait.max(pause));
                self.delay(scope, not_before, meaning.is_rate_limited());
            }
        }
    }

    fn delay(&mut self, scope: FailureScope, not_before: Instant, was_rate_limited: bool) {
        for candidate in self.affected(scope) {
            candidate.was_rate_limited = was_rate_limited;
            candidate.attempts = candidate.attempts.saturating_add(1);
            candidate.not_before = Some(candidate.not_before.map_or(not_before, |before| before.max(not_before)));
        }
    }

    /// Chooses the next candidate. Among those that are usable now, those with the fewest attempts come first; among
    /// these, those of the lowest rank; among these, the weight of the model entry and then that of the key decide.
    fn select(&mut self, now: Instant) -> Selection {
        let waits: Vec<_> = self.all.iter().map(|candidate| candidate.wait(now)).collect();
        let ready = || {
            let candidates = self.all.iter().enumerate().zip(&waits);
            candidates.filter(|(_, wait)| wait.is_some_and(|it| it.wait.is_zero())).map(|(candidate, _)| candidate)
        };
        let Some(best) = ready().map(|(_, candidate)| (candidate.attempts, candidate.rank)).min() else {
            return Selection::Wait(waits.into_iter().flatten().collect());
        };
        let best: Vec<_> = ready().filter(|(_, candidate)| (candidate.attempts, candidate.rank) == best).collect();
        let mut models: Vec<_> = best.iter().map(|(_, candidate)| (candidate.target, candidate.model_weight)).collect();
        models.dedup();
        let target = by_weight(&models, &mut self.random);
        let keys = best.iter().filter(|(_, candidate)| Some(candidate.target) == target);
        let keys: Vec<_> = keys.map(|(index, candidate)| (*index, candidate.key_weight)).collect();
        by_weight(&keys, &mut self.random).map_or_else(|| Selection::Wait(Vec::new()), Selection::Use)
    }

    /// Leases a candidate; `None` if another request was faster.
    fn lease(&mut self, index: usize, now: Instant) -> Option<LeasedCandidate> {
        self.current = index;
        let candidate = self.all.get(index)?;
        let lease = candidate.provider.lease(candidate.key, now)?;
        Some(LeasedCandidate { lease, model: Arc::clone(&candidate.model) })
    }

    /// Returns the candidates that a failure of the current one affects.
    fn affected(&mut self, scope: FailureScope) -> impl Iterator<Item = &mut Candidate> {
        let current = self.current;
        let failed = self.all.get(current).map(|candidate| (candidate.target, Arc::clone(&candidate.provider)));
        self.all.iter_mut().enumerate().filter_map(move |(index, candidate)| {
            let (target, provider) = failed.as_ref()?;
            let is_affected = match scope {
                FailureScope::Key => index == current,
                FailureScope::Model => candidate.target == *target,
                FailureScope::Provider => Arc::ptr_eq(&candidate.provider, provider),
            };
            is_affected.then_some(candidate)
        })
    }
}

impl Candidate {
    /// Returns the time until the candidate is usable, and the reason for the wait; `None` if it is excluded.
    fn wait(&self, now: Instant) -> Option<CandidateWait> {
        if self.is_excluded {
            return None;
        }
        let own = self.not_before.map_or(Duration::ZERO, |time| time.saturating_duration_since(now));
        let (wait, reason) = self.provider.wait(self.key, now)?;
        let own_reason = if self.was_rate_limited {
            CandidateUnavailable::KeyRateLimited
        } else {
            CandidateUnavailable::ProviderFailing
        };
        let (wait, reason) = if own > wait { (own, own_reason) } else { (wait, reason) };
        Some(CandidateWait { wait, reason })
    }
}

/// Picks one of `candidates` at random, in proportion to its weight.
fn by_weight(candidates: &[(usize, u32)], random: &mut fastrand::Rng) -> Option<usize> {
    let sum: u64 = candidates.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut point = if sum > 1 { random.u64(0..sum) } else { 0 };
    candidates.iter().find_map(|(candidate, weight)| {
        let weight = u64::from(*weight);
        let chosen = point < weight;
        point = point.saturating_sub(weight);
        chosen.then_some(*candidate)
    })
}
