//! The fetch of an issuer's keys, with short timeouts and without redirects.

use std::time::Duration;

use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::settings::{JwksSettings, KeySource};
use super::{IssuerUrl, Reading, read};

/// The largest document, in bytes. Real sets are a few KiB, with certificates some more.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The reason why an issuer's keys cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client cannot be created, perhaps because it finds no trusted certificates.
    #[error("no request can be made: {0}")]
    Client(reqwest::Error),
    /// There is no connection, no valid HTTP, or no trusted certificate.
    #[error("{0} cannot be reached")]
    Unreachable(IssuerUrl),
    /// The answer takes too long.
    #[error("no whole answer came within {}", humantime::format_duration(*.0))]
    TooSlow(Duration),
    /// The status is not 200. Redirects are not followed: only the address in the settings is trusted.
    #[error("{url} answers with status {status}")]
    Status {
        /// The address.
        url: IssuerUrl,
        /// The status.
        status: StatusCode,
    },
    /// The answer is too large.
    #[error("{0} answers with more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge(IssuerUrl),
    /// The answer is not the expected document.
    #[error("{url} answers with something that is not {expected}")]
    Unreadable {
        /// The address.
        url: IssuerUrl,
        /// The expected document.
        expected: &'static str,
    },
    /// The configuration belongs to another issuer: its keys would be accepted for tokens in this issuer's name.
    #[error("{0} is the configuration of another issuer than identity.issuer")]
    WrongIssuer(IssuerUrl),
    /// The address of the keys is not secure: an attacker could change them on the way.
    #[error("{0} names a jwks_uri that does not start with https://")]
    UnsafeKeys(IssuerUrl),
}

/// The keys that an issuer publishes.
pub(super) struct Fetched {
    pub(super) reading: Reading,
    /// The time for which the answer is fresh, as the issuer declares it.
    pub(super) max_age: Option<Duration>,
}

pub(super) fn client(source: &KeySource) -> Result<Client, reqwest::Error> {
    // Minutes pass between two fetches, which is too long to keep a connection.
    let client = Client::builder().redirect(redirect::Policy::none()).pool_max_idle_per_host(0);
    // A proxy from the environment has another loopback address, and could replace the keys.
    let client = if source.address().is_plain() { client.no_proxy() } else { client };
    client.build()
}

/// Fetches once, and returns the number of usable keys and of unusable ones.
pub async fn probe_issuer(settings: &JwksSettings) -> Result<(usize, usize), FetchError> {
    let Fetched { reading, .. } = fetch(&client(&settings.source).map_err(FetchError::Client)?, settings).await?;
    Ok((reading.used, reading.skipped.len()))
}

pub(super) async fn fetch(client: &Client, settings: &JwksSettings) -> Result<Fetched, FetchError> {
    let fetched = timeout(settings.timeout, fetch_all(client, &settings.source)).await;
    fetched.map_err(|_| FetchError::TooSlow(settings.timeout))?
}

async fn fetch_all(client: &Client, source: &KeySource) -> Result<Fetched, FetchError> {
    let url = match source {
        KeySource::Jwks(url) => url.clone(),
        KeySource::Discovery { issuer, address } => discover(client, issuer, address).await?,
    };
    let (headers, body) = get(client, &url, url.url()).await?;
    let reading = read(&body).ok_or(FetchError::Unreadable { url, expected: "a set of keys" })?;
    Ok(Fetched { reading, max_age: max_age(&headers) })
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

async fn discover(client: &Client, issuer: &str, address: &IssuerUrl) -> Result<IssuerUrl, FetchError> {
    let (_, body) = get(client, address, address.configuration()).await?;
    named_in(&body, issuer, address)
}

/// Returns the address of the keys from the configuration of the issuer at `address`.
fn named_in(configuration: &[u8], issuer: &str, address: &IssuerUrl) -> Result<IssuerUrl, FetchError> {
    let unreadable =
        |_| FetchError::Unreadable { url: address.clone(), expected: "the configuration of an OpenID issuer" };
    let configuration: Configuration = serde_json::from_slice(configuration).map_err(unreadable)?;
    if configuration.issuer != issuer {
        return Err(FetchError::WrongIssuer(address.clone()));
    }
    let keys: Option<IssuerUrl> = configuration.jwks_uri.parse().ok();
    // Plain HTTP is only for an issuer on this machine, and keys over plain HTTP for no other issuer.
    let keys = keys.filter(|keys| !keys.is_plain() || address.is_plain());
    keys.ok_or_else(|| FetchError::UnsafeKeys(address.clone()))
}

async fn get(client: &Client, shown: &IssuerUrl, url: Url) -> Result<(HeaderMap, Vec<u8>), FetchError> {
    let unreachable = |_| FetchError::Unreachable(shown.clone());
    let mut response = client.get(url).header(ACCEPT, "application/json").send().await.map_err(unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status { url: shown.clone(), status: response.status() });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len().saturating_add(chunk.len()) > MAX_DOCUMENT_BYTES {
            return Err(FetchError::TooLarge(shown.clone()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.headers().clone(), body))
}

/// Reads `max-age` (RFC 9111 §5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(',')).filter_map(|directive| directive.trim().split_once('='));
    let mut ages = directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
    ages.find_map(|(_, seconds)| seconds.trim_matches('"').parse().ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_elsewhere_cannot_have_this_machine_asked_for_keys() {
        for (issuer, keys, taken) in [
            ("https://a.example", "https://a.example/keys", true),
            ("https://a.example", "https://keys.example/a", true),
            ("https://a.example", "http://a.example/keys", false),
            ("https://a.example", "http://127.0.0.1:8080/keys", false),
            ("https://a.example", "http://localhost/keys", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/keys", true),
            ("http://127.0.0.1:8080", "https://a.example/keys", true),
            ("http://127.0.0.1:8080", "http://a.example/keys", false),
        ] {
            let configuration = serde_json::json!({"issuer": issuer, "jwks_uri": keys}).to_string();
            let found = named_in(configuration.as_bytes(), issuer, &issuer.parse().unwrap());
            assert_eq!(found.ok(), taken.then(|| keys.parse().unwrap()), "{issuer}: {keys}");
        }
    }
}
