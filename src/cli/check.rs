//! `voxgate check`: the settings, then whoever they name.

use std::time::{Duration, SystemTime};

use super::{Failure, print};
use crate::admission::store::{Embedded, Found, Redis, try_directory as try_folder};
use crate::config::{self, OPENAI, Problems, Provider, ProviderKey, Settings};
use crate::http::Tls;
use crate::identity::{self, JwksSettings};
use crate::upstream;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(settings: Result<Settings, Problems>) -> Result<(), Failure> {
    let settings = settings?;
    say("settings", "right")?;
    let mut wrong = 0;
    if let Some(tls) = &settings.server.tls {
        wrong += verdict("tls", try_tls(tls))?;
    }
    for provider in settings.providers.values() {
        let name = format!("provider {}", provider.name);
        match provider.keys.as_slice() {
            [] if provider.name == OPENAI => say(&name, "no key is set; the sandbox stands in")?,
            [] => wrong += verdict(&name, try_provider(provider, None).await)?,
            [key] => wrong += verdict(&name, try_provider(provider, Some(key)).await)?,
            keys => {
                for key in keys {
                    let name = format!("{name}, key {}", key.name);
                    wrong += verdict(&name, try_provider(provider, Some(key)).await)?;
                }
            }
        }
    }
    if let Some(jwks) = &settings.identity.jwks {
        wrong += verdict("issuer's keys", try_issuer(jwks).await)?;
    }
    match &settings.store.redis {
        Some(redis) => wrong += verdict("redis", try_redis(redis).await)?,
        None => say("redis", "not set: this gateway keeps its limits by itself")?,
    }
    wrong += verdict("data directory", try_directory(&settings.store))?;
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::Other("1 thing does not work".to_owned())),
        _ => Err(Failure::Other(format!("{wrong} things do not work"))),
    }
}

/// Builds what speaks TLS, and looks how long its certificate holds.
fn try_tls(files: &config::TlsFiles) -> Result<String, String> {
    let tls = Tls::new(files).map_err(|error| error.to_string())?;
    let ends = tls.ends();
    let day = humantime::format_rfc3339_seconds(ends);
    if ends <= SystemTime::now() {
        Err(format!("the certificate ended at {day}"))
    } else {
        Ok(format!("the certificate holds until {day}"))
    }
}

/// Asks for the list of models, or what the provider has in its place, which costs nothing and needs the key.
async fn try_provider(provider: &Provider, key: Option<&ProviderKey>) -> Result<String, String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    let client = client.build().map_err(|error| error.to_string())?;
    let request = upstream::check_request(&client, provider, key.map(|key| &key.secret));
    let response = request.map_err(|error| error.to_string())?.send().await;
    let response = response.map_err(|_| format!("{} cannot be reached", provider.base_url))?;
    let accepts = if key.is_some() { "accepts the key" } else { "answers" };
    match response.status().as_u16() {
        200..=299 => Ok(format!("{} {accepts}", provider.base_url)),
        401 | 403 => Err(format!("{} does not accept the key", provider.base_url)),
        404 | 405 => Ok(format!("{} answers; it has no list of models to try the key with", provider.base_url)),
        status => Err(format!("{} answers with status {status}", provider.base_url)),
    }
}

async fn try_issuer(jwks: &JwksSettings) -> Result<String, String> {
    match identity::try_out(jwks).await.map_err(|error| error.to_string())? {
        (0, _) => Err(format!("{} publishes no key that can be used", jwks.source)),
        (used, 0) => Ok(format!("{} publishes {used} that can be used", jwks.source)),
        (used, others) => Ok(format!("{} publishes {used} that can be used, and {others} that cannot", jwks.source)),
    }
}

async fn try_redis(redis: &config::Redis) -> Result<String, String> {
    match Redis::try_out(redis).await {
        Ok(()) => Ok("answers and can be written to".to_owned()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// Without Redis it holds the embedded store, which one gateway may have open; with it, what Redis could not take.
fn try_directory(store: &config::Store) -> Result<String, String> {
    let directory = store.data_dir.display();
    let found = if store.redis.is_none() { Embedded::try_out(&store.data_dir) } else { try_folder(&store.data_dir) };
    match found.map_err(|error| error.to_string())? {
        Found::Nothing => Ok(format!("{directory} is not there yet and can be made")),
        Found::Free => Ok(format!("{directory} can be used")),
        Found::InUse { holder } => Ok(format!("{directory} is in use by a running gateway (process {holder})")),
    }
}

fn verdict(what: &str, tried: Result<String, String>) -> Result<u32, Failure> {
    let failed = u32::from(tried.is_err());
    say(what, &tried.unwrap_or_else(|error| format!("FAILS: {error}")))?;
    Ok(failed)
}

fn say(what: &str, verdict: &str) -> Result<(), Failure> {
    print(|out| writeln!(out, "{what:<20} {verdict}"))
}
