//! Export of spans to the collector, in the background and in batches: no request waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use url::Url;

use crate::config;

/// The time limit for the collector to accept one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for the last export at shutdown.
const FLUSH: Duration = Duration::from_secs(2);
/// The maximum number of bytes read from an answer, so that its connection can be reused. The content is ignored.
const ANSWER: usize = 64 * 1024;

/// The reasons why tracing cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A variable that the OpenTelemetry SDK reads is invalid.
    #[error("traces: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The HTTP client cannot be created, for example without trusted certificates.
    #[error("the client for traces cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// The exporter of all requests' spans.
pub struct Traces {
    provider: SdkTracerProvider,
    pub(super) tracer: SdkTracer,
}

impl Traces {
    /// Starts the export to the collector of `settings`, if there is one. Call it on the runtime that stops last. The
    /// SDK reads the other `OTEL_…` variables (sampling, service attributes, headers, queue).
    pub fn start(settings: &config::Telemetry) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = exporter.with_endpoint(traces_address(endpoint)).with_http_client(Collector::new()?).build()?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        let tracer = provider.tracer("voxgate");
        Ok(Some(Self { provider, tracer }))
    }

    /// Exports the remaining spans, unless the collector takes too long.
    pub async fn close(&self) {
        let provider = self.provider.clone();
        // `shutdown_with_timeout` blocks, and the export it waits for needs this thread.
        let closed = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH)).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be handed to the collector");
        }
    }
}

/// Returns the address for traces, which is below that of the collector.
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp>
fn traces_address(endpoint: &Url) -> String {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/v1/traces", endpoint.path().trim_end_matches('/')));
    url.into()
}

/// Returns the service's identity: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, else this program's name.
fn resource() -> Resource {
    let set = Resource::builder().build();
    let service = opentelemetry::Key::from_static_str("service.name");
    // The SDK's default if no name is set.
    let nameless = set.get(&service).is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().with_attribute(version);
    if nameless { named.with_service_name("voxgate").build() } else { named.build() }
}

/// The SDK's HTTP client, backed by the same HTTP library as the rest of the gateway. The SDK calls it from its own
/// thread, which has no async runtime.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    failing: AtomicBool,
}

impl Collector {
    fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("voxgate/", env!("CARGO_PKG_VERSION")))
            .timeout(EXPORT_TIMEOUT)
            // A redirect would carry the headers, which may hold a key, to an address that is not configured.
            .redirect(reqwest::redirect::Policy::none());
        Ok(Self { client: client.build()?, runtime: Handle::current(), failing: AtomicBool::new(false) })
    }

    /// Logs the first failure and the recovery, not each batch.
    fn note(&self, failure: Option<String>) {
        let failed = failure.is_some();
        if self.failing.swap(failed, Ordering::Relaxed) == failed {
            return;
        }
        if let Some(reason) = failure {
            tracing::warn!(reason, "the collector does not take traces; they are lost meanwhile");
        } else {
            tracing::info!("the collector takes traces again");
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(send(self.client.clone(), request)).await;
        // The task is cancelled when the runtime stops; that is not the collector's failure.
        let sent = sent?;
        self.note(match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(error.to_string()),
        });
        Ok(sent?)
    }
}

async fn send(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    // The address may hold a key.
    let answer = async { client.execute(request.try_into()?).await };
    let mut answer = answer.await.map_err(reqwest::Error::without_url)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = answer.status();
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await
        && read < ANSWER
    {
        read = read.saturating_add(chunk.len());
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_address_of_the_collector() {
        for (endpoint, traces) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://traces.example.com/otlp?key=1", "https://traces.example.com/otlp/v1/traces?key=1"),
        ] {
            assert_eq!(traces_address(&endpoint.parse().unwrap()), traces);
        }
    }
}
