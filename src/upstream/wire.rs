//! The address and headers of a request to a provider.

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::UpstreamError;
use crate::config::Provider;
use crate::domain::terms::Task;

/// Returns the address for a recording.
pub(super) fn audio_url(provider: &Provider, task: Task, model: &str) -> Result<Url, UpstreamError> {
    let fill = |segment: &str| segment.replace("{task}", task.path()).replace("{model}", model);
    url(provider, &provider.wire.path, fill)
}

/// Returns the address that `voxgate check` requests.
fn check_url(provider: &Provider) -> Result<Url, UpstreamError> {
    url(provider, &provider.wire.check_path, str::to_owned)
}

/// Builds the request that shows whether a provider accepts a key. The request costs nothing.
pub fn check_request(
    client: &reqwest::Client,
    provider: &Provider,
    key: Option<&SecretString>,
) -> Result<RequestBuilder, UpstreamError> {
    Ok(client.get(check_url(provider)?).headers(credentials(provider, key)?))
}

/// Builds an address. It fills in each segment of the path separately, so that a slash in a model's name stays in its
/// segment.
fn url(provider: &Provider, path: &str, fill: impl Fn(&str) -> String) -> Result<Url, UpstreamError> {
    let mut url = provider.base_url.clone();
    {
        let mut segments = url.path_segments_mut().map_err(|()| UpstreamError::BadSettings)?;
        segments.pop_if_empty().extend(path.split('/').skip(1).map(fill));
    }
    url.set_query(provider.wire.query.as_deref());
    Ok(url)
}

/// Builds all headers of a request to a provider except those of the form. Nothing in them comes from the client, except
/// the trace id if tracing is on.
pub(super) fn headers(
    provider: &Provider,
    key: Option<&SecretString>,
    request_id: &str,
    traceparent: Option<&str>,
) -> Result<HeaderMap, UpstreamError> {
    let mut headers = credentials(provider, key)?;
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    // The gateway reads answers for their usage and passes them on byte for byte; a compressed answer would allow
    // neither.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert("x-client-request-id", value(request_id)?);
    if let Some(traceparent) = traceparent {
        headers.insert("traceparent", value(traceparent)?);
    }
    Ok(headers)
}

/// Builds the headers that authenticate the gateway to the provider.
fn credentials(provider: &Provider, key: Option<&SecretString>) -> Result<HeaderMap, UpstreamError> {
    let mut headers = HeaderMap::new();
    for (name, text) in [("openai-organization", &provider.organization), ("openai-project", &provider.project)] {
        if let Some(text) = text {
            headers.insert(name, value(text)?);
        }
    }
    if let Some(key) = key {
        let name = provider.wire.auth_header.clone();
        let key = key.expose_secret();
        let mut secret = value(&if name == AUTHORIZATION { format!("Bearer {key}") } else { key.to_owned() })?;
        secret.set_sensitive(true);
        headers.insert(name, secret);
    }
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue, UpstreamError> {
    HeaderValue::from_str(text).map_err(|_| UpstreamError::BadSettings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProviderApi;

    fn provider(base_url: &str, path: &str, query: Option<&str>) -> Provider {
        let wire = ProviderApi { path: path.to_owned(), query: query.map(str::to_owned), ..ProviderApi::default() };
        let base_url = base_url.parse().unwrap();
        Provider {
            name: "p".to_owned(),
            base_url,
            keys: Vec::new(),
            organization: None,
            project: None,
            wire,
            accepts: None,
            max_bytes: None,
        }
    }

    #[test]
    fn an_address_is_put_together_whatever_it_ends_in() {
        let deployment = "/openai/deployments/{model}/audio/{task}";
        let cases = [
            ("http://h/v1", "/audio/{task}", None, "http://h/v1/audio/transcriptions"),
            ("http://h/v1/", "/audio/{task}", None, "http://h/v1/audio/transcriptions"),
            ("http://h", "/inference", None, "http://h/inference"),
            (
                "https://r.openai.azure.com",
                deployment,
                Some("api-version=2024-10-21"),
                "https://r.openai.azure.com/openai/deployments/a%2Fb%20c/audio/transcriptions?api-version=2024-10-21",
            ),
        ];
        for (base_url, path, query, url) in cases {
            let given = audio_url(&provider(base_url, path, query), Task::Transcribe, "a/b c").unwrap();
            assert_eq!(given.as_str(), url);
        }
        assert_eq!(check_url(&provider("http://h/v1/", "/x", None)).unwrap().as_str(), "http://h/v1/models");
    }
}
