//! Settings that change while the gateway runs. The gateway reads them again on SIGHUP and when one of their files
//! changes, and applies all of them or none.

use std::path::PathBuf;
use std::time::Duration;

use actix_web::web::Data;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Files, Problems, Settings};
use crate::domain::terms::AUDIT;
use crate::http::{AppState, CurrentState, Tls};
use crate::identity::KeySpec;
use crate::sandbox::SandboxProvider;

/// The interval between two checks of the files. A change counts once two checks in a row see it: an editor may write a
/// file in two steps, and half a key looks like a key.
const OFTEN: Duration = Duration::from_secs(1);

/// The inputs of the settings that are fixed when the process starts.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The settings file that the command line names.
    pub file: Option<PathBuf>,
    /// The generated secret of this run, if none is configured.
    pub made_up: Option<KeySpec>,
}

impl Origin {
    /// Reads the settings as at the start. An error lists all problems in one text, and the files to watch for a
    /// correction.
    fn read(&self) -> Result<Settings, Problems> {
        let mut settings = Settings::load(self.file.as_deref())?;
        if settings.identity.is_empty() {
            settings.identity.secret.clone_from(&self.made_up);
        }
        Ok(settings)
    }
}

/// A task that keeps the state in line with the settings.
pub struct Reloader {
    live: Data<CurrentState>,
    origin: Origin,
    stand_in: Option<SandboxProvider>,
    watched: FileWatch,
}

/// The watched files, and the change that is under way.
#[derive(Debug)]
struct FileWatch {
    /// The files as the settings were last read from them.
    seen: Files,
    /// The files at the last check, if they differed from `seen`.
    changing: Option<Files>,
}

impl FileWatch {
    /// Returns true if the files differ from `seen` and have not changed since the last check.
    fn have_changed(&mut self, now: &Files) -> bool {
        let before = self.changing.take();
        if *now == self.seen {
            return false;
        }
        let are_settled = before.as_ref() == Some(now);
        self.changing = Some(now.clone());
        are_settled
    }
}

impl Reloader {
    /// Creates a reloader of the state at `live`. The sandbox stands in, or does not, for as long as the process runs.
    pub fn new(live: Data<CurrentState>, origin: Origin, stand_in: Option<SandboxProvider>) -> Self {
        let watched = FileWatch { seen: live.current().settings.files.clone(), changing: None };
        Self { live, origin, stand_in, watched }
    }

    /// Checks the files at intervals until dropped, and reads the settings at once on `hangup`.
    pub async fn watch(mut self, mut hangup: Signal) {
        let mut clock = interval(OFTEN);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = clock.tick() => false,
                Some(()) = hangup.recv() => true,
            };
            let files = self.watched.seen.clone();
            // Fails only when the runtime shuts down.
            let Ok(now) = spawn_blocking(move || files.look_again()).await else { return };
            if self.watched.have_changed(&now) || asked {
                self.read_again(now).await;
            }
        }
    }

    async fn read_again(&mut self, now: Files) {
        if let Some(pipe) = self.live.current().settings.files.read_once() {
            let reason = format!("{}: it is no file, and can be read only once", pipe.display());
            tracing::error!(target: AUDIT, reason, "the settings were not taken over; the old ones stay in force");
            self.watched = FileWatch { seen: now, changing: None };
            return;
        }
        let origin = self.origin.clone();
        let Ok(read) = spawn_blocking(move || origin.read()).await else { return };
        let refused = match read {
            Ok(settings) => {
                self.watched = FileWatch { seen: settings.files.clone(), changing: None };
                self.take(settings).err()
            }
            Err(problems) => {
                // Watch the files of the settings in force too: a missing file may come back.
                self.watched = FileWatch { seen: now.and(problems.files().clone()), changing: None };
                Some(problems.to_string())
            }
        };
        if let Some(reason) = refused {
            tracing::error!(target: AUDIT, reason, "the settings were not taken over; the old ones stay in force");
        }
    }

    /// Replaces the state by one with these settings, or returns the reason why it cannot.
    fn take(&self, settings: Settings) -> Result<(), String> {
        let old = self.live.current();
        if settings.server.is_loopback() != old.settings.server.is_loopback() {
            // The requirements for a secret depend on it.
            return Err("server.bind: only a start decides who can connect".to_owned());
        }
        if settings.server.tls.is_some() != old.settings.server.tls.is_some() {
            // Clients connect over one of the two.
            return Err("server.tls_cert: only a start decides whether the gateway speaks TLS".to_owned());
        }
        let (settings, unchanged) = settings.for_running(&old.settings);
        if settings.identity.is_empty() {
            return Err("identity: no key is left to check tokens with".to_owned());
        }
        if settings.uses_sandbox() != self.stand_in.is_some() {
            return Err("providers.openai: only a start decides whether the sandbox stands in for it".to_owned());
        }
        let tls = settings.server.tls.as_ref().map(Tls::new).transpose().map_err(|error| error.to_string())?;
        let verifier = settings.identity.verifier().map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        })?;
        // Keep the keys already fetched from issuers that remain.
        let published = settings.identity.published(old.verifier.published()).map_err(|error| error.to_string())?;
        let verifier = verifier.beside(published);
        let wanted = self
            .stand_in
            .as_ref()
            .map_or_else(|| settings.providers.clone(), |stand_in| stand_in.in_place_of_openai(&settings.providers));
        let providers = old.providers.renewed(&wanted, &settings.upstream);
        self.live.replace(AppState::new(settings, (verifier, tls), providers.into(), old.shared.clone()));
        tracing::info!(target: AUDIT, "the settings were read again and are in force");
        for tables in unchanged {
            tracing::warn!(target: AUDIT, tables, "settings have changed that only a start takes over");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("voxgate.toml");
        std::fs::write(&file, "").unwrap();
        let seen = Settings::load(Some(&file)).unwrap().files;
        let mut watched = FileWatch { seen, changing: None };
        let mut look = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let now = watched.seen.look_again();
            watched.have_changed(&now)
        };
        assert_eq!(["", "half", "the whole", "the whole"].map(&mut look), [false, false, false, true]);
        assert_eq!(["half", "", "half", "half"].map(look), [false, false, false, true], "it was as before in between");
    }
}
