//! Settings that change while the gateway runs: read again on SIGHUP and when one of their files changes, and taken whole or
//! not at all.

use std::path::PathBuf;
use std::time::Duration;

use actix_web::web::Data;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Files, Problems, Settings};
use crate::domain::terms::AUDIT;
use crate::http::Tls;
use crate::http::{AppState, CurrentState};
use crate::identity::KeySpec;
use crate::sandbox::SandboxProvider;

/// How often files are looked at. A change counts when it is seen twice in a row: an editor may write a file in two steps,
/// and half of a key looks like a key.
const OFTEN: Duration = Duration::from_secs(1);

/// What settings are made of besides what is read: what this process has made up, or been told, at its start.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The file that the command line names.
    pub file: Option<PathBuf>,
    /// The secret of this run, where none is set.
    pub made_up: Option<KeySpec>,
}

impl Origin {
    /// Reads the settings as at the start. What is wrong is said in one text, together with the files that may put it right.
    fn read(&self) -> Result<Settings, Problems> {
        let mut settings = Settings::load(self.file.as_deref())?;
        if settings.identity.is_empty() {
            settings.identity.secret.clone_from(&self.made_up);
        }
        Ok(settings)
    }
}

/// Keeps the house as its settings are.
pub struct Reloader {
    live: Data<CurrentState>,
    origin: Origin,
    stand_in: Option<SandboxProvider>,
    watched: FileWatch,
}

/// The files, and whether they are others by now.
#[derive(Debug)]
struct FileWatch {
    /// As they were when they were last read.
    seen: Files,
    /// As they were a moment ago, where that was otherwise.
    changing: Option<Files>,
}

impl FileWatch {
    /// Whether they are others than those that were read, and the same as a moment ago.
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
    /// One for the house at `live`, in which the sandbox stands in, or not, as long as the process runs.
    pub fn new(live: Data<CurrentState>, origin: Origin, stand_in: Option<SandboxProvider>) -> Self {
        let watched = FileWatch { seen: live.house().settings.files.clone(), changing: None };
        Self { live, origin, stand_in, watched }
    }

    /// Looks at the files for as long as it is polled, and reads the settings again at once on `hangup`.
    pub async fn watch(mut self, mut hangup: Signal) {
        let mut clock = interval(OFTEN);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = clock.tick() => false,
                Some(()) = hangup.recv() => true,
            };
            let files = self.watched.seen.clone();
            // It fails where the runtime ends.
            let Ok(now) = spawn_blocking(move || files.look_again()).await else { return };
            if self.watched.have_changed(&now) || asked {
                self.read_again(now).await;
            }
        }
    }

    async fn read_again(&mut self, now: Files) {
        if let Some(pipe) = self.live.house().settings.files.read_once() {
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
                // Those of the settings in force are looked at too: what is missing may come back.
                self.watched = FileWatch { seen: now.and(problems.files().clone()), changing: None };
                Some(problems.to_string())
            }
        };
        if let Some(reason) = refused {
            tracing::error!(target: AUDIT, reason, "the settings were not taken over; the old ones stay in force");
        }
    }

    /// Has the house be by `settings` from now on, unless that cannot be.
    fn take(&self, settings: Settings) -> Result<(), String> {
        let old = self.live.house();
        if settings.server.is_loopback() != old.settings.server.is_loopback() {
            // What a secret has to be depends on it.
            return Err("server.bind: only a start decides who can connect".to_owned());
        }
        if settings.server.tls.is_some() != old.settings.server.tls.is_some() {
            // Clients come by one or the other.
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
        // Keys that were fetched from where they still are stay.
        let published = settings.identity.published(old.verifier.published()).map_err(|error| error.to_string())?;
        let verifier = verifier.beside(published);
        let wanted = self
            .stand_in
            .as_ref()
            .map_or_else(|| settings.providers.clone(), |stand_in| stand_in.in_place_of_openai(&settings.providers));
        let providers = old.providers.renewed(&wanted, &settings.upstream);
        self.live.replace(AppState::new(settings, (verifier, tls), providers.into(), old.grounds.clone()));
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
