//! The candidates of one request: the model entries that can do its job, each with every key of its provider, and the
//! results of the attempts so far.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::UpstreamError;
use super::keyring::CandidateUnavailable;
use super::providers::{Provider, ProviderLease, Providers};
use crate::config::Model;
use crate::models::TargetChain;

/// A candidate for the job: a model entry, and a key of its provider.
#[derive(Debug)]
struct Candidate {
    model: Arc<Model>,
    provider: Arc<Provider>,
    key: usize,
    /// The index of the model entry.
    row: usize,
    /// The order in which model entries are used; those that share the first attempts come first.
    rank: usize,
    row_weight: u32,
    key_weight: u32,
    /// The number of attempts with this candidate, including those of other candidates that failed for the same reason.
    tries: u32,
    /// The earliest time of the next attempt.
    not_before: Option<Instant>,
    /// True if this request must not use the candidate again.
    barred: bool,
}

/// All candidates of one request.
#[derive(Debug)]
pub(super) struct Candidates(Vec<Candidate>);

/// The candidates that a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The key, for this model entry.
    Key,
    /// The model entry: its other keys would fail in the same way.
    Row,
    /// The provider: its other model entries would fail in the same way.
    Provider,
}

/// The choice of the next candidate.
#[derive(Debug)]
pub(super) enum Selection {
    /// This candidate, now.
    Use(usize),
    /// No candidate is usable before this time passes. The reason, if all candidates have the same one.
    Wait(Duration, CandidateUnavailable),
    /// No candidate is left.
    Nobody,
}

impl Candidates {
    pub(super) fn of(routes: &TargetChain, providers: &Providers) -> Result<Self, UpstreamError> {
        let mut seats = Vec::new();
        for (row, (model, weight)) in routes.models().zip(routes.weights()).enumerate() {
            let provider = providers.get(&model.provider).ok_or(UpstreamError::NoProvider)?;
            for (key, key_weight) in provider.weights().into_iter().enumerate() {
                seats.push(Candidate {
                    model: Arc::clone(model),
                    provider: Arc::clone(provider),
                    key,
                    row,
                    rank: if weight.is_some() { 0 } else { row + 1 },
                    row_weight: weight.map_or(1, NonZeroU32::get),
                    key_weight,
                    tries: 0,
                    not_before: None,
                    barred: false,
                });
            }
        }
        Ok(Self(seats))
    }

    /// Chooses the next candidate. Among those that are usable now, those with the fewest attempts come first; among
    /// these, those of the lowest rank; among these, the weight of the model entry and then that of the key decide.
    pub(super) fn next(&self, now: Instant, random: &mut fastrand::Rng) -> Selection {
        let waits: Vec<_> = self.0.iter().map(|seat| seat.wait(now)).collect();
        let of = |at: usize| self.0.get(at);
        let ready = || {
            let free = waits.iter().enumerate().filter(|(_, wait)| matches!(wait, Some((wait, _)) if wait.is_zero()));
            free.filter_map(|(at, _)| Some((at, of(at)?)))
        };
        let Some(best) = ready().map(|(_, seat)| (seat.tries, seat.rank)).min() else {
            let waits: Vec<_> = waits.into_iter().flatten().collect();
            let Some((first, hindrance)) = waits.iter().min().copied() else { return Selection::Nobody };
            let only = waits.iter().all(|(_, other)| *other == hindrance);
            return Selection::Wait(first, if only { hindrance } else { CandidateUnavailable::Broken });
        };
        let best: Vec<_> = ready().filter(|(_, seat)| (seat.tries, seat.rank) == best).collect();
        let mut rows: Vec<(usize, u32)> = best.iter().map(|(_, seat)| (seat.row, seat.row_weight)).collect();
        rows.dedup();
        let row = by_weight(&rows, random);
        let keys: Vec<_> = best.iter().filter(|(_, seat)| Some(seat.row) == row).collect();
        let keys: Vec<_> = keys.into_iter().map(|(at, seat)| (*at, seat.key_weight)).collect();
        by_weight(&keys, random).map_or(Selection::Nobody, Selection::Use)
    }

    /// Acquires a lease on the candidate's provider and returns it with the model entry; `None` if another request was
    /// faster.
    pub(super) fn ask(&self, at: usize, now: Instant) -> Option<(ProviderLease, Arc<Model>)> {
        let seat = self.0.get(at)?;
        Some((seat.provider.ask(seat.key, now)?, Arc::clone(&seat.model)))
    }

    /// Records a failure: no candidate that it concerns is usable before `not_before`.
    pub(super) fn failed(&mut self, at: usize, scope: Scope, not_before: Instant) {
        for seat in self.concerned(at, scope) {
            seat.tries = seat.tries.saturating_add(1);
            seat.not_before = Some(seat.not_before.map_or(not_before, |before| before.max(not_before)));
        }
    }

    /// Excludes every candidate that the failure concerns: another attempt would fail in the same way.
    pub(super) fn bar(&mut self, at: usize, scope: Scope) {
        self.concerned(at, scope).for_each(|seat| seat.barred = true);
    }

    fn concerned(&mut self, at: usize, scope: Scope) -> impl Iterator<Item = &mut Candidate> {
        let asked = self.0.get(at).map(|seat| (seat.row, Arc::clone(&seat.provider)));
        self.0.iter_mut().enumerate().filter_map(move |(other, seat)| {
            let (row, provider) = asked.as_ref()?;
            let is = match scope {
                Scope::Key => other == at,
                Scope::Row => seat.row == *row,
                Scope::Provider => Arc::ptr_eq(&seat.provider, provider),
            };
            is.then_some(seat)
        })
    }
}

impl Candidate {
    /// Returns the time until the candidate is usable, and the reason for the wait; `None` if it is excluded.
    fn wait(&self, now: Instant) -> Option<(Duration, CandidateUnavailable)> {
        if self.barred {
            return None;
        }
        let own = self.not_before.map_or(Duration::ZERO, |time| time.saturating_duration_since(now));
        let (wait, hindrance) = self.provider.wait(self.key, now)?;
        Some(if own > wait { (own, CandidateUnavailable::Broken) } else { (wait, hindrance) })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::config::{self, ProviderApi, ProviderKey};
    use crate::models::Target;

    fn provider(name: &str, keys: usize) -> config::Provider {
        let key = |at: usize| ProviderKey {
            name: format!("{name}-{at}"),
            secret: format!("secret-{at}").into(),
            weight: NonZeroU32::MIN,
        };
        config::Provider {
            name: name.to_owned(),
            base_url: Url::parse("http://127.0.0.1:1/v1").unwrap(),
            keys: (0..keys).map(key).collect(),
            organization: None,
            project: None,
            wire: ProviderApi::default(),
        }
    }

    fn settings() -> config::Upstream {
        config::Upstream {
            response_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            max_answer_bytes: 1,
            max_attempts: 3,
            backoff: Duration::from_millis(250),
            max_backoff: Duration::from_secs(8),
            breaker: config::Breaker { failures: None, pause: Duration::from_secs(1) },
        }
    }

    /// Model entries of two keys each, at the providers of these numbers; with a weight if there is one.
    fn seats(rows: &[(usize, Option<u32>)]) -> Candidates {
        let providers: BTreeMap<_, _> = (0..4).map(|at| (format!("p{at}"), provider(&format!("p{at}"), 2))).collect();
        let model = |at: usize, provider: usize| {
            Arc::new(Model { provider: format!("p{provider}"), ..Model::unknown(&format!("row-{at}")) })
        };
        let weight = |weight: Option<u32>| weight.and_then(NonZeroU32::new);
        let (first, rest) = rows.split_first().unwrap();
        let asked_for = Model { weight: weight(first.1).unwrap(), ..Model::clone(&model(0, first.0)) };
        let route =
            |(at, row): (usize, &(usize, Option<u32>))| Target { model: model(at + 1, row.0), weight: weight(row.1) };
        let routes =
            TargetChain { asked_for: asked_for.into(), fallbacks: rest.iter().enumerate().map(route).collect() };
        Candidates::of(&routes, &Providers::new(&providers, &settings())).unwrap()
    }

    fn row(seats: &Candidates, now: Instant, random: &mut fastrand::Rng) -> (usize, usize) {
        match seats.next(now, random) {
            Selection::Use(at) => (at, seats.0[at].row),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_without_a_weight_are_asked_in_order_and_those_that_failed_after_the_others() {
        let (mut seats, now, mut random) =
            (seats(&[(0, Some(1)), (1, None), (2, None)]), Instant::now(), fastrand::Rng::new());
        for expected in [0, 1, 2] {
            let (at, row) = row(&seats, now, &mut random);
            assert_eq!(row, expected);
            seats.failed(at, Scope::Row, now + Duration::from_secs(1));
        }
        let Selection::Wait(wait, CandidateUnavailable::Broken) = seats.next(now, &mut random) else {
            panic!("they have all failed")
        };
        assert_eq!(wait, Duration::from_secs(1));
        assert_eq!(row(&seats, now + wait, &mut random).1, 0, "after that it begins anew");
    }

    #[test]
    fn a_failure_concerns_what_would_fail_with_it() {
        let concerned = |scope| {
            let mut seats = seats(&[(0, Some(1)), (0, None), (1, None)]);
            seats.bar(0, scope);
            seats.0.iter().map(|seat| u8::from(seat.barred)).collect::<Vec<_>>()
        };
        assert_eq!(concerned(Scope::Key), [1, 0, 0, 0, 0, 0]);
        assert_eq!(concerned(Scope::Row), [1, 1, 0, 0, 0, 0]);
        assert_eq!(concerned(Scope::Provider), [1, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn where_all_are_barred_nobody_is_left() {
        let mut seats = seats(&[(0, Some(1))]);
        seats.bar(0, Scope::Row);
        assert!(matches!(seats.next(Instant::now(), &mut fastrand::Rng::new()), Selection::Nobody));
    }

    proptest! {
        #[test]
        fn nobody_is_asked_twice_while_somebody_can_be_asked_for_the_first_time(
            rows in prop::collection::vec((0..4_usize, prop::option::of(1..5_u32)), 0..4),
            seed: u64,
        ) {
            let rows: Vec<_> = std::iter::once((0, Some(2))).chain(rows).collect();
            let (mut seats, now) = (seats(&rows), Instant::now());
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..rows.len() * 2 {
                let (at, _) = row(&seats, now, &mut random);
                let least = seats.0.iter().map(|seat| seat.tries).min();
                prop_assert_eq!(Some(seats.0[at].tries), least);
                let first = seats.0.iter().filter(|seat| Some(seat.tries) == least).map(|seat| seat.rank).min();
                prop_assert_eq!(Some(seats.0[at].rank), first);
                seats.failed(at, Scope::Key, now);
            }
        }

        #[test]
        fn each_candidate_is_chosen_by_its_weight_and_one_always_is(weights in prop::collection::vec(1..1000_u32, 1..8), seed: u64) {
            let candidates: Vec<_> = weights.iter().copied().enumerate().collect();
            let mut random = fastrand::Rng::with_seed(seed);
            let mut chosen = vec![0_u32; weights.len()];
            for _ in 0..400 {
                chosen[by_weight(&candidates, &mut random).unwrap()] += 1;
            }
            let sum: f64 = weights.iter().copied().map(f64::from).sum();
            for (weight, times) in weights.iter().zip(&chosen) {
                let share = f64::from(*weight) / sum;
                // This is far more than chance gives.
                let room = 12.0 * (400.0 * share * (1.0 - share)).sqrt() + 4.0;
                prop_assert!((f64::from(*times) - 400.0 * share).abs() <= room, "{} of {}", times, share);
            }
        }
    }
}
