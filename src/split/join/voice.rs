//! The voice in a piece.

use super::place::PiecePlace;
use crate::speech::{Samples, Span};

/// The stretches of a piece in which there is voice: never none, in order, apart from each other, and within the piece.
#[derive(Debug, Clone)]
pub(super) struct Voice(Vec<Span>);

impl Voice {
    /// Takes the stretches of a piece. A piece without any counts as voice throughout.
    pub(super) fn of(place: &PiecePlace<'_>) -> Self {
        Self::within(place.voice.iter().copied(), place.span)
    }

    /// Takes all of `span` for voice.
    pub(super) fn throughout(span: Span) -> Self {
        Self(vec![span])
    }

    /// Returns the part of the voice within `span`; all of `span` if it has none.
    pub(super) fn part(&self, span: Span) -> Self {
        let begin = self.0.partition_point(|stretch| stretch.end <= span.start);
        let inside = self.0.iter().skip(begin).take_while(|stretch| stretch.start < span.end);
        Self::within(inside.copied(), span)
    }

    fn within(stretches: impl Iterator<Item = Span>, span: Span) -> Self {
        let mut kept: Vec<Span> = Vec::new();
        for stretch in stretches {
            let earliest = kept.last().map_or(span.start, |last| last.end);
            let clipped = Span { start: stretch.start.max(earliest), end: stretch.end.min(span.end) };
            if clipped.start < clipped.end {
                kept.push(clipped);
            }
        }
        if kept.is_empty() {
            kept.push(span);
        }
        Self(kept)
    }

    /// Returns the length of all stretches.
    pub(super) fn length(&self) -> Samples {
        self.0.iter().fold(Samples::default(), |sum, stretch| sum.saturating_add(stretch.length()))
    }

    /// Returns the point at which `part` of `whole` of the voice is over and more follows.
    pub(super) fn at(&self, part: u64, whole: u64) -> Samples {
        let voiced = u128::from(self.length().get()) * u128::from(part) / u128::from(whole.max(1));
        let mut left = Samples::new(u64::try_from(voiced).unwrap_or(u64::MAX));
        for stretch in &self.0 {
            if left < stretch.length() {
                return stretch.start.saturating_add(left);
            }
            left = left.saturating_sub(stretch.length());
        }
        self.0.last().map_or(Samples::default(), |last| last.end)
    }

    /// Returns the end of the last stretch that begins before `limit`, or `limit` if the voice goes on there or has not
    /// begun.
    pub(super) fn end_before(&self, limit: Samples) -> Samples {
        let begun = self.0.partition_point(|stretch| stretch.start < limit);
        let last = begun.checked_sub(1).and_then(|last| self.0.get(last));
        last.map_or(limit, |last| last.end.min(limit))
    }

    /// Returns where the voice begins again after a point in a pause, or no more than `reach` before one; `None` for a point
    /// elsewhere. A point nearer to the beginning of its stretch than to the end belongs to that stretch.
    pub(super) fn begins_again(&self, point: Samples, reach: Samples) -> Option<Samples> {
        let index = self.0.partition_point(|stretch| stretch.end <= point);
        let stretch = self.0.get(index)?;
        if point < stretch.start {
            return Some(stretch.start);
        }
        let (before, left) = (point.saturating_sub(stretch.start), stretch.end.saturating_sub(point));
        let next = self.0.get(index + 1).filter(|_| left <= reach && left < before)?;
        Some(next.start)
    }

    /// Returns the pauses of at least `shortest` between the stretches.
    pub(super) fn pauses(&self, shortest: Samples) -> Vec<Span> {
        let following = self.0.iter().skip(1);
        let between = self.0.iter().zip(following).map(|(one, next)| Span { start: one.end, end: next.start });
        between.filter(|pause| pause.length() >= shortest).collect()
    }

    /// Returns the first sample with voice.
    pub(super) fn start(&self) -> Samples {
        self.0.first().map_or(Samples::default(), |first| first.start)
    }
}
