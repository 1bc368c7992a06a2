//! The candidates of one request: the model entries that can do its job, each with every key of its provider, and the
//! results of the attempts so far.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::error::UpstreamError;
use super::keyring::CandidateUnavailable;
use super::providers::{Provider, ProviderLease, Providers};
use super::request::{Deadline, Portion};
use super::retry::{self, FailureScope, RetryDecision};
use crate::config::Model;
use crate::models::TargetChain;

#[cfg(test)]
mod tests;

/// The longest wait for the next usable candidate, whatever a provider says.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The longest wait of a piece for a provider that fails. For one that is over its limit it waits as long as its request
/// may take: a limit slows the pieces down and fails none.
const MAX_PIECE_WAIT: Duration = Duration::from_mins(2);

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
    /// No candidate is usable at the moment.
    Wait(CandidateWait),
    /// No candidate is left.
    Nobody,
}

/// The wait for the next usable candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CandidateWait {
    /// The time until the first candidate is usable.
    wait: Duration,
    /// The reason, if all candidates have the same one.
    reason: CandidateUnavailable,
    /// True if the first candidate waits because it is over its limit.
    is_rate_limited: bool,
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
        Ok(Self { all, current: 0, failures: 0, last_error: None, backoff: providers.backoff, random })
    }

    /// Waits for a usable candidate and leases it. The first attempt with a whole recording never waits: the client gets
    /// 503 with `Retry-After`. Later attempts, and pieces, return the last error if the wait is too long.
    pub(super) async fn lease_next(
        &mut self,
        deadline: Deadline,
        portion: Portion,
    ) -> Result<LeasedCandidate, UpstreamError> {
        let (max_wait, is_piece) = match portion {
            Portion::Whole => (MAX_WAIT, false),
            Portion::Piece { .. } => (MAX_PIECE_WAIT, true),
        };
        let latest = (Instant::now() + max_wait).min(deadline.beginning);
        loop {
            let now = Instant::now();
            if now >= deadline.beginning {
                return Err(self.last_error.take().unwrap_or(UpstreamError::Timeout));
            }
            let CandidateWait { wait, reason, is_rate_limited } = match self.select(now) {
                Selection::Use(index) => match self.lease(index, now) {
                    Some(leased) => return Ok(leased),
                    // Another request was faster; the next pass of the loop sees that.
                    None => continue,
                },
                Selection::Wait(wait) => wait,
                Selection::Nobody => CandidateWait {
                    wait: Duration::MAX,
                    reason: CandidateUnavailable::ProviderFailing,
                    is_rate_limited: false,
                },
            };
            if self.last_error.is_none() && !is_piece {
                return Err(UpstreamError::Unavailable { reason, wait });
            }
            let latest = if is_piece && is_rate_limited { deadline.beginning } else { latest };
            let Some(until) = now.checked_add(wait).filter(|until| *until <= latest) else {
                return Err(self.last_error.take().unwrap_or(UpstreamError::Unavailable { reason, wait }));
            };
            sleep_until(until).await;
        }
    }

    /// Records that the attempt at the candidate that was leased last has failed.
    pub(super) fn record_failure(&mut self, error: UpstreamError, decision: RetryDecision) {
        let was_rate_limited = retry::is_rate_limited(&error);
        self.last_error = Some(error);
        self.failures = self.failures.saturating_add(1);
        match decision {
            // No candidate is left.
            RetryDecision::GiveUp => self.all.clear(),
            RetryDecision::TryElsewhere { scope } => {
                self.affected(scope).for_each(|candidate| candidate.is_excluded = true);
            }
            RetryDecision::TryAgain { scope, retry_after } => {
                let pause = self.backoff.jittered(self.failures, &mut self.random);
                let not_before = Instant::now() + retry_after.map_or(pause, |wait| wait.max(pause));
                self.delay(scope, not_before, was_rate_limited);
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
            candidates.filter(|(_, wait)| wait.is_some_and(|(wait, _)| wait.is_zero())).map(|(candidate, _)| candidate)
        };
        let Some(best) = ready().map(|(_, candidate)| (candidate.attempts, candidate.rank)).min() else {
            let waits: Vec<_> = waits.into_iter().flatten().collect();
            let Some((first, reason)) = waits.iter().min().copied() else { return Selection::Nobody };
            let is_common = waits.iter().all(|(_, other)| *other == reason);
            return Selection::Wait(CandidateWait {
                wait: first,
                reason: if is_common { reason } else { CandidateUnavailable::ProviderFailing },
                is_rate_limited: reason == CandidateUnavailable::KeyRateLimited,
            });
        };
        let best: Vec<_> = ready().filter(|(_, candidate)| (candidate.attempts, candidate.rank) == best).collect();
        let mut models: Vec<_> = best.iter().map(|(_, candidate)| (candidate.target, candidate.model_weight)).collect();
        models.dedup();
        let target = by_weight(&models, &mut self.random);
        let keys = best.iter().filter(|(_, candidate)| Some(candidate.target) == target);
        let keys: Vec<_> = keys.map(|(index, candidate)| (*index, candidate.key_weight)).collect();
        by_weight(&keys, &mut self.random).map_or(Selection::Nobody, Selection::Use)
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
    fn wait(&self, now: Instant) -> Option<(Duration, CandidateUnavailable)> {
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
        Some(if own > wait { (own, own_reason) } else { (wait, reason) })
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
