//! The spans of each request, put together, and the gateway that has them.

use std::sync::Arc;

use crate::support::collector::{Collector, Span};
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Expectations, Provider};

pub(crate) const STEPS: [&str; 7] = ["receive", "identify", "take in", "admit", "forward", "relay", "settle"];

/// A gateway whose traces go to `collector`.
pub(crate) fn traced(collector: &Collector) -> Setup {
    let expectations = Expectations { traced: true, ..Expectations::default() };
    Setup::with_provider(Arc::new(Provider::on(expectations))).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())
}

/// The spans of one request: the root, and the steps by name.
pub(crate) struct RequestSpans {
    pub(crate) root: Span,
    steps: Vec<Span>,
}

impl RequestSpans {
    /// Those of all requests, by when they came, once the gateway has ended and handed over everything.
    pub(crate) async fn of(collector: &Collector, mut gateway: Gateway) -> Vec<Self> {
        gateway.terminate();
        assert_eq!(gateway.ended().await.code(), Some(0));
        let (steps, mut roots): (Vec<_>, Vec<_>) =
            collector.spans().into_iter().partition(|span| STEPS.contains(&span.name.as_str()));
        roots.sort_by_key(|root| root.start);
        let of_root = |root: Span| {
            let steps: Vec<_> = steps.iter().filter(|span| span.parent == root.id).cloned().collect();
            assert!(steps.iter().all(|span| span.trace == root.trace && span.start <= span.end), "{steps:?}");
            Self { root, steps }
        };
        let all: Vec<_> = roots.into_iter().map(of_root).collect();
        assert_eq!(
            all.iter().map(|one| one.steps.len()).sum::<usize>(),
            steps.len(),
            "a step of no request: {steps:?}"
        );
        all
    }

    /// The same of the only request.
    pub(crate) async fn only(collector: &Collector, gateway: Gateway) -> Self {
        let mut all = Self::of(collector, gateway).await;
        assert_eq!(all.len(), 1, "{:?}", all.iter().map(|one| &one.root).collect::<Vec<_>>());
        all.remove(0)
    }

    #[track_caller]
    pub(crate) fn step(&self, name: &str) -> &Span {
        let found = self.all(name);
        assert_eq!(found.len(), 1, "{name} in {:?}", self.steps);
        found[0]
    }

    /// A step that may come more than once, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&Span> {
        let mut found: Vec<_> = self.steps.iter().filter(|span| span.name == name).collect();
        found.sort_by_key(|span| span.start);
        found
    }

    /// In the order in which they began.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut steps: Vec<_> = self.steps.iter().collect();
        steps.sort_by_key(|span| span.start);
        steps.into_iter().map(|span| span.name.as_str()).collect()
    }

    /// The steps that failed.
    pub(crate) fn failed(&self) -> Vec<&str> {
        self.steps.iter().filter(|span| span.failed).map(|span| span.name.as_str()).collect()
    }

    /// That the steps are these seven, one for each.
    #[track_caller]
    pub(crate) fn are_seven(&self) {
        let (mut names, mut steps) = (self.names(), STEPS);
        names.sort_unstable();
        steps.sort_unstable();
        assert_eq!(names, steps);
    }
}

/// Now, as spans have it.
pub(crate) fn nanos_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_nanos().try_into().unwrap()
}
