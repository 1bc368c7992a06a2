//! The descriptors of all families, which the exporter asks for before anything is counted.

use super::buckets::{LONG, OWN, SHORT};
use super::descriptor::{Descriptor, Kind};
use super::list::with_every_family;

macro_rules! descriptors {
    ($(#[doc = $help:literal] $family:ident: $kind:ident<$n:literal> = $name:literal $labels:tt $(, $more:expr)?;)+) => {
        /// Returns the descriptors of all families.
        pub fn families() -> Vec<Descriptor> {
            vec![$(Descriptor {
                name: $name,
                help: $help.trim_ascii(),
                labels: &$labels,
                kind: kind!($kind),
                buckets: buckets!($kind $(, $more)?),
            }),+]
        }
    };
}

macro_rules! kind {
    (Gauge) => {
        Kind::Gauge
    };
    (Histogram) => {
        Kind::Histogram
    };
    ($other:ident) => {
        Kind::Counter
    };
}

macro_rules! buckets {
    (Histogram, $buckets:expr) => {
        $buckets
    };
    ($other:ident $(, $more:expr)?) => {
        &[]
    };
}

with_every_family!(descriptors);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn buckets_reach_as_far_as_the_settings_let_things_take_by_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("voxgate.toml");
        std::fs::write(&file, "").unwrap();
        let settings = crate::config::Settings::load(Some(&file)).unwrap();
        for (buckets, longest) in [(LONG, settings.upstream.response_timeout), (OWN, settings.intake.body_timeout)] {
            assert!(buckets.last().is_some_and(|last| *last >= longest.as_secs_f64()), "{longest:?}: {buckets:?}");
        }
    }

    #[test]
    fn names_are_given_once_and_as_prometheus_wants_them() {
        let mut names = BTreeSet::new();
        for Descriptor { name, help, labels, kind, buckets } in families() {
            assert!(names.insert(name), "{name} twice");
            let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(name.starts_with("voxgate_") && word(name), "{name}");
            assert!(labels.iter().all(|label| word(label)), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(kind == Kind::Histogram, !buckets.is_empty(), "{name}");
            assert!(buckets.is_sorted(), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}: {help}");
        }
    }
}
