//! Whom one request can ask: the rows that can do its job, each with every key of its provider, and what has become of
//! those that were asked.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::UpstreamError;
use super::keyring::Hindrance;
use super::providers::{Pass, Provider, Providers};
use crate::config::Model;

/// The rows of the table of models that can do a job.
#[derive(Debug, Clone)]
pub struct Routes {
    /// The row that was asked for, which has a share of the first tries.
    pub asked_for: Arc<Model>,
    /// Those that stand in for it.
    pub fallbacks: Vec<Route>,
}

/// A row that stands in for another.
#[derive(Debug, Clone)]
pub struct Route {
    /// The row.
    pub model: Arc<Model>,
    /// Its share of the first tries; `None`: it is asked when those that have one cannot be.
    pub weight: Option<NonZeroU32>,
}

impl Routes {
    /// All of the rows.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        std::iter::once(&self.asked_for).chain(self.fallbacks.iter().map(|route| &route.model))
    }

    fn weights(&self) -> impl Iterator<Item = Option<NonZeroU32>> {
        std::iter::once(Some(self.asked_for.weight)).chain(self.fallbacks.iter().map(|route| route.weight))
    }
}

/// One way to have the job done: a row, and a key of its provider.
#[derive(Debug)]
struct Seat {
    model: Arc<Model>,
    provider: Arc<Provider>,
    key: usize,
    /// Of which row it is.
    row: usize,
    /// The order in which rows are asked; those that share the first tries are first.
    rank: usize,
    row_weight: u32,
    key_weight: u32,
    /// How often it was asked, or is known to fail as if it had been.
    tries: u32,
    /// When it may be asked again.
    not_before: Option<Instant>,
    /// It is not asked any more.
    barred: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Seats(Vec<Seat>);

/// Which seats a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The key, for this row.
    Key,
    /// The row: its other keys lead to the same.
    Row,
    /// The provider: so do its other rows.
    Provider,
}

/// Who is next.
#[derive(Debug)]
pub(super) enum Next {
    /// This one, now.
    Ask(usize),
    /// Nobody can be asked before that; what hinders all of them, if it is one thing.
    Wait(Duration, Hindrance),
    /// Nobody is left.
    Nobody,
}

impl Seats {
    pub(super) fn of(routes: &Routes, providers: &Providers) -> Result<Self, UpstreamError> {
        let mut seats = Vec::new();
        for (row, (model, weight)) in routes.models().zip(routes.weights()).enumerate() {
            let provider = providers.get(&model.provider).ok_or(UpstreamError::NoProvider)?;
            for (key, key_weight) in provider.weights().into_iter().enumerate() {
                seats.push(Seat {
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

    /// Who is next: of those that can be asked now, one that was asked least; of these the first in rank; of these one by
    /// its row's weight and then by its key's.
    pub(super) fn next(&self, now: Instant, random: &mut fastrand::Rng) -> Next {
        let waits: Vec<_> = self.0.iter().map(|seat| seat.wait(now)).collect();
        let of = |at: usize| self.0.get(at);
        let ready = || {
            let free = waits.iter().enumerate().filter(|(_, wait)| matches!(wait, Some((wait, _)) if wait.is_zero()));
            free.filter_map(|(at, _)| Some((at, of(at)?)))
        };
        let Some(best) = ready().map(|(_, seat)| (seat.tries, seat.rank)).min() else {
            let waits: Vec<_> = waits.into_iter().flatten().collect();
            let Some((first, hindrance)) = waits.iter().min().copied() else { return Next::Nobody };
            let only = waits.iter().all(|(_, other)| *other == hindrance);
            return Next::Wait(first, if only { hindrance } else { Hindrance::Broken });
        };
        let best: Vec<_> = ready().filter(|(_, seat)| (seat.tries, seat.rank) == best).collect();
        let mut rows: Vec<(usize, u32)> = best.iter().map(|(_, seat)| (seat.row, seat.row_weight)).collect();
        rows.dedup();
        let row = by_weight(&rows, random);
        let keys: Vec<_> = best.iter().filter(|(_, seat)| Some(seat.row) == row).collect();
        let keys: Vec<_> = keys.into_iter().map(|(at, seat)| (*at, seat.key_weight)).collect();
        by_weight(&keys, random).map_or(Next::Nobody, Next::Ask)
    }

    /// Leave to ask it, unless somebody else has been faster, and its row.
    pub(super) fn ask(&self, at: usize, now: Instant) -> Option<(Pass, Arc<Model>)> {
        let seat = self.0.get(at)?;
        Some((seat.provider.ask(seat.key, now)?, Arc::clone(&seat.model)))
    }

    /// It has failed, and with it all that the failure concerns: they may be asked again after that.
    pub(super) fn failed(&mut self, at: usize, scope: Scope, not_before: Instant) {
        for seat in self.concerned(at, scope) {
            seat.tries = seat.tries.saturating_add(1);
            seat.not_before = Some(seat.not_before.map_or(not_before, |before| before.max(not_before)));
        }
    }

    /// Asking it again would lead to the same, and so with all that the failure concerns.
    pub(super) fn bar(&mut self, at: usize, scope: Scope) {
        self.concerned(at, scope).for_each(|seat| seat.barred = true);
    }

    fn concerned(&mut self, at: usize, scope: Scope) -> impl Iterator<Item = &mut Seat> {
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

impl Seat {
    /// How long until it can be asked, and what hinders it; `None`: it is not asked any more.
    fn wait(&self, now: Instant) -> Option<(Duration, Hindrance)> {
        if self.barred {
            return None;
        }
        let own = self.not_before.map_or(Duration::ZERO, |time| time.saturating_duration_since(now));
        let (wait, hindrance) = self.provider.wait(self.key, now)?;
        Some(if own > wait { (own, Hindrance::Broken) } else { (wait, hindrance) })
    }
}

/// One of `candidates`, each as often as its weight says.
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
