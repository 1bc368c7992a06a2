//! The kinds of metric families.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::descriptor::{Descriptor, Kind};
use super::label::Label;
use super::recorder;

/// The parts that every family has: its name, its help and its labels.
#[derive(Debug)]
struct Head<const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
}

impl<const N: usize> Head<N> {
    const fn descriptor(&'static self, kind: Kind) -> Descriptor {
        Descriptor { name: self.name, help: self.help, labels: &self.labels, kind, buckets: &[] }
    }

    fn key(&self, values: &[Label; N]) -> metrics::Key {
        let pairs = self.labels.iter().zip(values);
        let labels: Vec<_> = pairs.map(|(name, value)| metrics::Label::new(*name, value.as_str())).collect();
        metrics::Key::from_parts(self.name, labels)
    }
}

/// The series of a family, by their label values.
#[derive(Debug)]
struct Series<const N: usize, T>(RwLock<BTreeMap<[Label; N], T>>);

impl<const N: usize, T: Clone> Series<N, T> {
    const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// Calls `use_it` with the series of these labels, which it creates on first use.
    fn with(&self, labels: [Label; N], make: impl FnOnce() -> T, use_it: impl FnOnce(&T)) {
        if let Some(series) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            return use_it(series);
        }
        use_it(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(labels).or_insert_with(make));
    }
}

/// A counter of events.
#[derive(Debug)]
pub struct Counter<const N: usize> {
    head: Head<N>,
    series: Series<N, metrics::Counter>,
}

impl<const N: usize> Counter<N> {
    pub(super) const fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self { head: Head { name, help, labels }, series: Series::new() }
    }

    /// Adds `n`. Adding zero creates the series, so that Prometheus sees the first increase, too.
    pub fn add(&self, labels: [Label; N], n: u64) {
        self.series.with(labels, || recorder::counter(&self.head.key(&labels)), |counter| counter.increment(n));
    }
}

/// A histogram of durations.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    head: Head<N>,
    series: Series<N, metrics::Histogram>,
}

impl<const N: usize> Histogram<N> {
    pub(super) const fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self { head: Head { name, help, labels }, series: Series::new() }
    }

    /// Records one event of duration `span`.
    pub fn record(&self, labels: [Label; N], span: Duration) {
        let make = || recorder::histogram(&self.head.key(&labels));
        self.series.with(labels, make, |histogram| histogram.record(span.as_secs_f64()));
    }
}

/// An exact sum of small units, shown as large units with decimals, without rounding: billionths of a dollar as
/// dollars, milliseconds as seconds. The exporter's own counters have no decimals.
#[derive(Debug)]
pub struct Sum<const N: usize> {
    head: Head<N>,
    /// The number of decimals.
    places: u32,
    series: Series<N, Arc<AtomicU64>>,
}

impl<const N: usize> Sum<N> {
    pub(super) const fn new(name: &'static str, help: &'static str, labels: [&'static str; N], places: u32) -> Self {
        Self { head: Head { name, help, labels }, places, series: Series::new() }
    }

    /// Adds `n` small units.
    pub fn add(&self, labels: [Label; N], n: u64) {
        self.series.with(labels, Arc::default, |sum| {
            sum.fetch_add(n, Ordering::Relaxed);
        });
    }

    pub(super) const fn descriptor(&'static self) -> Descriptor {
        self.head.descriptor(Kind::Counter)
    }

    /// Returns the sums so far, in large units.
    pub(super) fn samples(&self) -> BTreeMap<[&'static str; N], String> {
        let sums = self.series.0.read().unwrap_or_else(PoisonError::into_inner);
        let shown = |sum: &AtomicU64| decimal(sum.load(Ordering::Relaxed), self.places);
        sums.iter().map(|(labels, sum)| (labels.map(Label::as_str), shown(sum))).collect()
    }
}

fn decimal(units: u64, places: u32) -> String {
    let one = 10_u64.saturating_pow(places);
    let mut text = (units / one).to_string();
    if !units.is_multiple_of(one) {
        let width = usize::try_from(places).unwrap_or_default();
        // Writing to a `String` cannot fail.
        let _ = write!(text, ".{:0width$}", units % one);
    }
    text
}

/// A gauge. Stores no value: the caller samples it for each [`Page`](super::Page).
#[derive(Debug)]
pub struct Gauge<const N: usize>(Head<N>);

impl<const N: usize> Gauge<N> {
    pub(super) const fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self(Head { name, help, labels })
    }

    pub(super) const fn descriptor(&'static self) -> Descriptor {
        self.0.descriptor(Kind::Gauge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_shown_exactly() {
        for (units, places, shown) in [
            (0, 9, "0"),
            (1, 9, "0.000000001"),
            (4_500_000, 9, "0.004500000"),
            (12_000_000_000, 9, "12"),
            (u64::MAX, 9, "18446744073.709551615"),
            (12_340, 3, "12.340"),
        ] {
            assert_eq!(decimal(units, places), shown);
        }
    }
}
