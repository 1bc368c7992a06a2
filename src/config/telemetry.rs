//! `[telemetry]`: the destination of traces.

use std::fmt;

use url::Url;

use super::reader::Section;

/// `[telemetry]`
#[derive(Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// The base address of an OpenTelemetry collector for OTLP over HTTP; without one there are no traces.
    /// `telemetry.otlp_endpoint`, `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub otlp_endpoint: Option<Url>,
}

impl Telemetry {
    pub(super) fn read(mut section: Section) -> Self {
        let settings = Self { otlp_endpoint: section.optional("otlp_endpoint") };
        section.finish();
        settings
    }
}

/// Omits the address: a hosted trace service may put its customers' keys in it.
impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("otlp_endpoint", &self.otlp_endpoint.is_some()).finish()
    }
}
