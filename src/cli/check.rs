//! `voxgate check`: the settings, then whoever they name.

use std::io::Write;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::Failure;
use crate::config::{OPENAI, Problems, Provider, RedisUrl, Settings};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(settings: Result<Settings, Problems>) -> Result<(), Failure> {
    let settings = settings?;
    say("settings", "right")?;
    let mut wrong = 0;
    for provider in settings.providers.values() {
        let name = format!("provider {}", provider.name);
        if provider.name == OPENAI && provider.api_key.is_none() {
            say(&name, "no key is set; the sandbox stands in")?;
            continue;
        }
        wrong += verdict(&name, try_provider(provider).await)?;
    }
    match &settings.redis {
        Some(url) => wrong += verdict("redis", try_redis(url).await)?,
        None => say("redis", "not set")?,
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::Other("1 thing does not work".to_owned())),
        _ => Err(Failure::Other(format!("{wrong} things do not work"))),
    }
}

/// Asks for the list of models, which costs nothing and needs the key.
async fn try_provider(provider: &Provider) -> Result<String, String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    let mut request = client.build().map_err(|error| error.to_string())?.get(format!("{}/models", provider.base_url));
    if let Some(key) = &provider.api_key {
        request = request.bearer_auth(key.expose_secret());
    }
    let response = request.send().await.map_err(|_| format!("{} cannot be reached", provider.base_url))?;
    match response.status().as_u16() {
        200..=299 => Ok(format!("{} accepts the key", provider.base_url)),
        401 | 403 => Err(format!("{} does not accept the key", provider.base_url)),
        404 | 405 => Ok(format!("{} answers; it has no list of models to try the key with", provider.base_url)),
        status => Err(format!("{} answers with status {status}", provider.base_url)),
    }
}

async fn try_redis(url: &RedisUrl) -> Result<String, String> {
    let ping = async {
        let client = redis::Client::open(url.expose())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    match tokio::time::timeout(PATIENCE, ping).await {
        Ok(Ok(_)) => Ok("answers".to_owned()),
        // The category alone: the error's own text may repeat the address with its password.
        Ok(Err(error)) => Err(format!("does not answer: {}", error.category())),
        Err(_) => Err("does not answer in time".to_owned()),
    }
}

fn verdict(what: &str, tried: Result<String, String>) -> Result<u32, Failure> {
    let failed = u32::from(tried.is_err());
    say(what, &tried.unwrap_or_else(|error| format!("FAILS: {error}")))?;
    Ok(failed)
}

fn say(what: &str, verdict: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{what:<20} {verdict}").map_err(Failure::other)
}
