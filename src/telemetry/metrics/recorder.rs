//! Storage of counters and histograms: the exporter's registry, without a listener.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Key, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusRecorder};

use super::descriptor::Kind;
use super::descriptors::families;

/// The interval at which histograms are drained into their buckets if nothing scrapes them: until then each sample is
/// stored separately.
const UPKEEP: Duration = Duration::from_secs(5);

static METADATA: Metadata<'_> = Metadata::new("voxgate", Level::INFO, None);

static RECORDER: LazyLock<PrometheusRecorder> = LazyLock::new(|| {
    // The builder rejects only an empty list of buckets; a test ensures that there is none.
    let recorder =
        bucketed().map_or_else(|_| PrometheusBuilder::new().build_recorder(), PrometheusBuilder::build_recorder);
    for family in families() {
        match family.kind {
            Kind::Counter => recorder.describe_counter(family.name.into(), None, family.help.into()),
            Kind::Histogram => recorder.describe_histogram(family.name.into(), None, family.help.into()),
            Kind::Gauge => {}
        }
    }
    recorder
});

fn bucketed() -> Result<PrometheusBuilder, BuildError> {
    let histograms = families().into_iter().filter(|family| family.kind == Kind::Histogram);
    histograms.into_iter().try_fold(PrometheusBuilder::new(), |builder, family| {
        builder.set_buckets_for_metric(Matcher::Full(family.name.to_owned()), family.buckets)
    })
}

pub(super) fn counter(key: &Key) -> metrics::Counter {
    RECORDER.register_counter(key, &METADATA)
}

pub(super) fn histogram(key: &Key) -> metrics::Histogram {
    RECORDER.register_histogram(key, &METADATA)
}

/// Renders all counters and histograms in Prometheus's text format.
pub(super) fn render() -> String {
    RECORDER.handle().render()
}

/// Drains histograms into their buckets for as long as it is polled.
pub async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        RECORDER.handle().run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_histogram_has_buckets_that_the_exporter_takes() {
        assert!(bucketed().is_ok());
    }
}
