//! What `/metrics` says.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::gateway::Gateway;
use crate::support::poll::until;

/// One line: its labels, and its value as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: String,
}

/// A page of samples by their names.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) samples: BTreeMap<String, Vec<Sample>>,
    pub(crate) text: String,
}

impl Scrape {
    pub(crate) async fn of(gateway: &Gateway) -> Self {
        // On a connection of its own: one that is idle may be closed just when it is used again.
        let request = gateway.operational("/metrics").header("connection", "close");
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let mut samples = BTreeMap::<String, Vec<Sample>>::new();
        let mut seen = BTreeSet::new();
        for line in answer.text().lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(seen.insert(series), "{series} twice");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.trim_end_matches('"').split_once("=\"").unwrap());
            let labels = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            samples.entry(name.to_owned()).or_default().push(Sample { labels, value: value.to_owned() });
        }
        Self { samples, text: answer.text().to_owned() }
    }

    /// The page, as soon as it is as it should be.
    pub(crate) async fn when(gateway: &Gateway, enough: impl Fn(&Self) -> bool) -> Self {
        until("the metrics are as expected", async || {
            let scrape = Self::of(gateway).await;
            if enough(&scrape) { Ok(scrape) } else { Err(scrape.text) }
        })
        .await
    }

    /// The samples of this name that have these labels among theirs.
    pub(crate) fn with<'a>(&'a self, name: &str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        let has =
            |sample: &Sample| labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|is| is == value));
        self.samples.get(name).into_iter().flatten().filter(move |sample| has(sample))
    }

    /// The sum of them, in whole numbers.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.with(name, labels).map(|sample| sample.value.parse::<u64>().unwrap()).sum()
    }

    /// The value of the only one, as it is written; nothing where there is none.
    pub(crate) fn text_of(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let mut samples = self.with(name, labels);
        let value = samples.next().map_or_else(String::new, |sample| sample.value.clone());
        assert!(samples.next().is_none(), "several {name} {labels:?}");
        value
    }

    /// What each series of a family counts, where that is not zero, by the values of its labels in the order of `labels`.
    pub(crate) fn table<const N: usize>(&self, name: &str, labels: [&str; N]) -> BTreeMap<[String; N], u64> {
        let samples = self.samples.get(name).into_iter().flatten();
        let rows =
            samples.map(|sample| (labels.map(|label| sample.labels[label].clone()), sample.value.parse().unwrap()));
        rows.filter(|(_, count)| *count > 0).collect()
    }
}
