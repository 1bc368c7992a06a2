//! `voxgate check`: the settings found, and a test that every server and file that they name can be reached.

use std::time::{Duration, SystemTime};

use secrecy::ExposeSecret;

use super::output::{Failure, print};
use super::reach::unreachable;
use crate::config::{self, Namespace, OPENAI, Problems, Provider, ProviderKey, Settings};
use crate::identity::{self, JwksSettings, KeyMaterial};
use crate::intake::probe_directory;
use crate::store::{Embedded, ProbeResult, Redis, probe_directory as probe_data_directory};
use crate::transport::Tls;
use crate::upstream;

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(settings: Result<Settings, Problems>) -> Result<(), Failure> {
    let settings = settings?;
    print_line("settings", "ok")?;
    print_summary(&settings)?;
    let mut failed = 0;
    if let Some(tls) = &settings.tls {
        failed += report("tls", try_tls(tls))?;
    }
    for provider in settings.providers.values() {
        let name = format!("provider {}", provider.name);
        match provider.keys.as_slice() {
            [] if provider.name == OPENAI => {
                print_line(&name, "no key is set (OPENAI_API_KEY); the sandbox stands in: no speech is recognised")?;
            }
            [] => failed += report(&name, try_provider(provider, None).await)?,
            [key] => failed += report(&name, try_provider(provider, Some(key)).await)?,
            keys => {
                for key in keys {
                    let name = format!("{name}, key {}", key.name);
                    failed += report(&name, try_provider(provider, Some(key)).await)?;
                }
            }
        }
    }
    if let Some(jwks) = &settings.identity.jwks {
        failed += report("issuer's keys", try_issuer(jwks).await)?;
    }
    match &settings.fixed.store.redis {
        Some(redis) => failed += report("redis", try_redis(redis).await)?,
        None => print_line("redis", "not set: this gateway keeps its limits by itself")?,
    }
    failed += report("data directory", try_directory(&settings.fixed.store))?;
    failed += report("spool directory", try_spool(&settings.fixed.spool))?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Other("1 check failed".to_owned())),
        _ => Err(Failure::Other(format!("{failed} checks failed"))),
    }
}

/// Prints a summary of the settings, to show that the right file and the right variables were read.
fn print_summary(settings: &Settings) -> Result<(), Failure> {
    let server = &settings.fixed.server;
    let probes = server.ops_bind.map(|address| format!(", probes and metrics {address}")).unwrap_or_default();
    let listeners = format!("clients {}{probes}", server.bind);
    print_line("listeners", &listeners)?;
    print_line("providers", &counted(settings.providers.keys(), None))?;
    print_line("models", &counted(settings.models.keys(), Some(&settings.default_model)))?;
    print_line("plans", &counted(settings.plans.keys(), None))?;
    print_line("tokens", &describe_keys(settings))?;
    let store = &settings.fixed.store;
    let namespace = match store.namespace {
        Namespace::Production => "",
        Namespace::Sandbox => ", in the sandbox's own ledger",
    };
    let place = match &store.redis {
        Some(_) => format!("Redis, keys {}:…{namespace}", store.namespace.key_prefix()),
        None => format!("{}{namespace}", store.data_dir.join(store.namespace.database()).display()),
    };
    print_line("store", &place)
}

/// Formats names as `3: a (default), b, c`.
fn counted<'a>(names: impl ExactSizeIterator<Item = &'a String>, default: Option<&String>) -> String {
    let count = names.len();
    let names = names.map(|name| if Some(name) == default { format!("{name} (default)") } else { name.clone() });
    match count {
        0 => "none".to_owned(),
        _ => format!("{count}: {}", names.collect::<Vec<_>>().join(", ")),
    }
}

/// Describes the keys for checking tokens; never prints a secret, not even in part.
fn describe_keys(settings: &Settings) -> String {
    let identity = &settings.identity;
    let mut found = Vec::new();
    if let Some(key) = &identity.secret {
        let bytes = match &key.material {
            KeyMaterial::Secret(secret) => format!(", {} bytes", secret.expose_secret().len()),
            KeyMaterial::PublicPem(_) => String::new(),
        };
        found.push(format!("a secret ({:?}{bytes})", key.algorithm));
    }
    match identity.keys.len() {
        0 => {}
        1 => found.push("1 key of [[identity.keys]]".to_owned()),
        count => found.push(format!("{count} keys of [[identity.keys]]")),
    }
    if let Some(jwks) = &identity.jwks {
        found.push(format!("the keys that {} publishes", jwks.source));
    }
    if found.is_empty() {
        return "no secret is set (VOXGATE_JWT_SECRET): each start makes one, and its tokens end with it".to_owned();
    }
    found.join(", ")
}

/// Loads the TLS certificate and key, and reports until when the certificate is valid.
fn try_tls(files: &config::TlsFiles) -> Result<String, String> {
    let tls = Tls::new(files).map_err(|error| error.to_string())?;
    let expires = tls.expires();
    let day = humantime::format_rfc3339_seconds(expires);
    if expires <= SystemTime::now() {
        Err(format!("the certificate expired at {day}"))
    } else {
        Ok(format!("the certificate is valid until {day}"))
    }
}

/// Asks the provider for its list of models, or for its substitute. This costs nothing and needs the key.
async fn try_provider(provider: &Provider, key: Option<&ProviderKey>) -> Result<String, String> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
    let client = client.build().map_err(|error| error.to_string())?;
    let request = upstream::check_request(&client, provider, key.map(|key| &key.secret));
    let response = request.map_err(|error| error.to_string())?.send().await;
    let url = &provider.base_url;
    let response = response.map_err(|error| format!("{url} cannot be reached: {}", unreachable(&error, url)))?;
    let accepts = if key.is_some() { "accepts the key" } else { "answers" };
    match response.status().as_u16() {
        200..=299 => Ok(format!("{url} {accepts}")),
        401 | 403 => Err(format!("{url} does not accept the key (status {})", response.status().as_u16())),
        404 | 405 => Ok(format!("{url} answers; it has no list of models to try the key with")),
        407 => Err(format!("the proxy before {url} wants a user and a password (status 407)")),
        status => Err(format!("{url} answers with status {status}")),
    }
}

async fn try_issuer(jwks: &JwksSettings) -> Result<String, String> {
    match identity::probe_issuer(jwks).await.map_err(|error| error.to_string())? {
        (0, _) => Err(format!("{} publishes no key that can be used", jwks.source)),
        (used, 0) => Ok(format!("{} publishes {used} that can be used", jwks.source)),
        (used, others) => Ok(format!("{} publishes {used} that can be used, and {others} that cannot", jwks.source)),
    }
}

async fn try_redis(redis: &config::Redis) -> Result<String, String> {
    match Redis::probe_settings(redis).await {
        Ok(()) => Ok("answers and can be written to".to_owned()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// Checks the data directory. Without Redis it holds the embedded store, which only one gateway may open; with Redis,
/// the settlements that Redis could not take.
fn try_directory(store: &config::Store) -> Result<String, String> {
    let directory = store.data_dir.display();
    let found = match store.redis {
        None => Embedded::probe(&store.data_dir, store.namespace),
        Some(_) => probe_data_directory(&store.data_dir),
    };
    match found.map_err(|error| error.to_string())? {
        ProbeResult::Missing => Ok(format!("{directory} is not there yet and can be made")),
        ProbeResult::Free => Ok(format!("{directory} can be used")),
        ProbeResult::InUse { holder } => Ok(format!("{directory} is in use by a running gateway (process {holder})")),
    }
}

/// Checks the directory of large recordings.
fn try_spool(spool: &config::Spool) -> Result<String, String> {
    let directory = &spool.spool_dir;
    probe_directory(directory).map_err(|error| error.to_string())?;
    Ok(format!("{} can be used", directory.display()))
}

fn report(what: &str, tried: Result<String, String>) -> Result<u32, Failure> {
    let failed = u32::from(tried.is_err());
    print_line(what, &tried.unwrap_or_else(|error| format!("FAILS: {error}")))?;
    Ok(failed)
}

fn print_line(what: &str, verdict: &str) -> Result<(), Failure> {
    print(|out| writeln!(out, "{what:<20} {verdict}"))
}
