use proptest::prelude::*;

use super::*;
use crate::models::{Target, Way};
use crate::upstream::providers::Observation;
use crate::upstream::testing::{providers, settings};

/// Model entries of two keys each, at the providers of these numbers; with a weight if there is one.
fn candidates(models: &[(usize, Option<u32>)], seed: u64) -> Candidates {
    let providers = providers(&[("p0", 2), ("p1", 2), ("p2", 2), ("p3", 2)], &settings());
    let model = |at: usize, provider: usize| {
        Arc::new(Model { provider: format!("p{provider}"), ..Model::unknown(&format!("model-{at}")) })
    };
    let weight = |weight: Option<u32>| weight.and_then(NonZeroU32::new);
    let (first, rest) = models.split_first().unwrap();
    let requested = Model { weight: weight(first.1).unwrap(), ..Model::clone(&model(0, first.0)) };
    let fallback = |(at, (provider, share)): (usize, &(usize, Option<u32>))| Target {
        model: model(at + 1, *provider),
        weight: weight(*share),
    };
    let targets = TargetChain {
        requested: requested.into(),
        fallbacks: rest.iter().enumerate().map(fallback).collect(),
        way: Way::AsIs,
        pieces: None,
    };
    let random = fastrand::Rng::with_seed(seed);
    Candidates::new(&targets, &providers, random).unwrap()
}

/// Selects the next candidate, and returns the index of its model entry.
fn select(candidates: &mut Candidates, now: Instant) -> usize {
    match candidates.select(now) {
        Selection::Use(index) => {
            candidates.current = index;
            candidates.all[index].target
        }
        other @ Selection::Wait(_) => panic!("{other:?}"),
    }
}

/// The meaning of a failure after which others are tried.
fn elsewhere(scope: FailureScope) -> FailureMeaning {
    FailureMeaning { observation: Observation::Failed, decision: RetryDecision::TryElsewhere { scope } }
}

#[test]
fn models_without_a_weight_are_tried_in_order_and_those_that_failed_after_the_others() {
    let (mut candidates, now) = (candidates(&[(0, Some(1)), (1, None), (2, None)], 1), Instant::now());
    for expected in [0, 1, 2] {
        assert_eq!(select(&mut candidates, now), expected);
        candidates.delay(FailureScope::Model, now + Duration::from_secs(1), false);
    }
    let Selection::Wait(waits) = candidates.select(now) else { panic!("they have all failed") };
    let CandidateWait { wait, reason } = *waits.iter().min().unwrap();
    assert_eq!((wait, reason), (Duration::from_secs(1), CandidateUnavailable::ProviderFailing));
    assert_eq!(select(&mut candidates, now + wait), 0, "after that the first one is tried again");
}

#[test]
fn a_failure_affects_what_would_fail_with_it() {
    let excluded = |scope| {
        let mut candidates = candidates(&[(0, Some(1)), (0, None), (1, None)], 1);
        candidates.record_failure(UpstreamError::Broken, &elsewhere(scope), false);
        candidates.all.iter().map(|candidate| u8::from(candidate.is_excluded)).collect::<Vec<_>>()
    };
    assert_eq!(excluded(FailureScope::Key), [1, 0, 0, 0, 0, 0]);
    assert_eq!(excluded(FailureScope::Model), [1, 1, 0, 0, 0, 0]);
    assert_eq!(excluded(FailureScope::Provider), [1, 1, 1, 1, 0, 0]);
}

#[test]
fn where_all_are_excluded_none_is_left() {
    let mut candidates = candidates(&[(0, Some(1))], 1);
    candidates.record_failure(UpstreamError::Broken, &elsewhere(FailureScope::Model), false);
    assert!(matches!(candidates.select(Instant::now()), Selection::Wait(waits) if waits.is_empty()));
}

proptest! {
    #[test]
    fn no_candidate_is_tried_twice_while_another_has_not_been_tried(
        models in prop::collection::vec((0..4_usize, prop::option::of(1..5_u32)), 0..4),
        seed: u64,
    ) {
        let models: Vec<_> = std::iter::once((0, Some(2))).chain(models).collect();
        let (mut candidates, now) = (candidates(&models, seed), Instant::now());
        for _ in 0..models.len() * 2 {
            select(&mut candidates, now);
            let fewest = candidates.all.iter().map(|candidate| candidate.attempts).min();
            let selected = &candidates.all[candidates.current];
            prop_assert_eq!(Some(selected.attempts), fewest);
            let untried = candidates.all.iter().filter(|candidate| Some(candidate.attempts) == fewest);
            prop_assert_eq!(Some(selected.rank), untried.map(|candidate| candidate.rank).min());
            candidates.delay(FailureScope::Key, now, false);
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
