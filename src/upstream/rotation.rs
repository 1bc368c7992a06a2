//! Keys that are in files are read again when the files change, and used from the next request on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::Providers;
use crate::config::{is_one_word, secret_in};

/// How often files are looked at. Their content decides, not their time or their name: Kubernetes swaps a link to a folder
/// of new ones, and an editor may write a file in two steps.
const OFTEN: Duration = Duration::from_secs(2);

/// Where a key is: its provider, its place there, its name, its file.
type Place = (String, usize, String, PathBuf);

/// Reads the keys again every now and then, and at once on `hangup`, for as long as it is polled.
pub async fn watch(providers: Arc<Providers>, mut hangup: Signal) {
    let mut clock = interval(OFTEN);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unusable = BTreeSet::new();
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            Some(()) = hangup.recv() => tracing::info!("SIGHUP: the files of keys are read again"),
        }
        read_again(&providers, &mut unusable).await;
    }
}

/// Reads every file once. `unusable` are those of which it is known that they hold no key now.
async fn read_again(providers: &Providers, unusable: &mut BTreeSet<PathBuf>) {
    let places: Vec<Place> = providers.key_files();
    let reading = spawn_blocking(move || {
        let read = |(provider, at, name, file): Place| {
            let found = secret_in(&file).map_err(|error| error.to_string()).and_then(|secret| {
                if is_one_word(&secret) { Ok(secret) } else { Err("does not hold one word".to_owned()) }
            });
            (provider, at, name, file, found)
        };
        places.into_iter().map(read).collect::<Vec<(String, usize, String, PathBuf, Result<SecretString, String>)>>()
    });
    // The runtime ends.
    let Ok(found) = reading.await else { return };
    for (provider, at, key, file, found) in found {
        match found {
            Ok(secret) => {
                unusable.remove(&file);
                if providers.replace_key(&provider, at, secret) {
                    tracing::info!(provider, key, "a key has changed; requests use the new one from now on");
                }
            }
            Err(error) => {
                if unusable.insert(file.clone()) {
                    let file = file.display();
                    tracing::warn!(provider, key, %file, error, "a key cannot be read again; the old one stays in use");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use secrecy::ExposeSecret;
    use tokio::time::Instant;

    use super::*;
    use crate::config::Settings;

    fn providers(file: &Path) -> Providers {
        let config = file.with_extension("toml");
        fs::write(&config, format!("[providers.openai]\napi_key_file = {file:?}")).unwrap();
        let settings = Settings::load(Some(&config)).unwrap();
        let own: BTreeMap<_, _> = settings.providers.into_iter().filter(|(name, _)| name == "openai").collect();
        Providers::new(&own, &settings.upstream)
    }

    fn key(providers: &Providers) -> String {
        let pass = providers.get("openai").unwrap().ask(0, Instant::now()).unwrap();
        pass.secret().unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn a_file_that_holds_no_key_for_a_while_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "first\n").unwrap();
        let providers = providers(&file);
        let mut unusable = BTreeSet::new();
        for content in [Some(""), Some("two words"), None] {
            match content {
                Some(content) => fs::write(&file, content).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            read_again(&providers, &mut unusable).await;
            assert_eq!((key(&providers).as_str(), unusable.len()), ("first", 1), "{content:?}");
        }
        fs::write(&file, "second\n").unwrap();
        read_again(&providers, &mut unusable).await;
        assert_eq!((key(&providers).as_str(), unusable.len()), ("second", 0));
    }
}
