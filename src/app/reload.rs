//! Settings that change while the gateway runs. The gateway reads them again on SIGHUP and when one of their files
//! changes, and applies all of them or none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::build::{BuildError, build_state};
use crate::config::{Files, Problems, Reloaded, Settings};
use crate::domain::terms::AUDIT;
use crate::http::CurrentState;
use crate::identity::KeySpec;
use crate::transport::{CurrentTls, Tls, TlsError};

/// The interval between two checks of the files. A change counts once two checks in a row see it: an editor may write a
/// file in two steps, and half a key looks like a key.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The source of the settings, which is fixed when the process starts.
#[derive(Debug, Clone)]
pub struct SettingsSource {
    /// The settings file that the command line names.
    pub file: Option<PathBuf>,
    /// The generated secret of this run, if none is configured.
    pub generated_secret: Option<KeySpec>,
}

impl SettingsSource {
    /// Reads the settings as at the start. An error lists all problems in one text, and the files to watch for a
    /// correction.
    fn read(&self) -> Result<Settings, Problems> {
        let mut settings = Settings::load(self.file.as_deref())?;
        if settings.identity.is_empty() {
            settings.identity.secret.clone_from(&self.generated_secret);
        }
        Ok(settings)
    }
}

/// The reason why new settings were not taken over.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error("{}: it is no file, and can be read only once", .0.display())]
    ReadOnce(PathBuf),
    #[error(transparent)]
    Settings(#[from] Problems),
    /// The requirements for a secret depend on it.
    #[error("server.bind: only a start decides who can connect")]
    Loopback,
    /// Clients connect over one of the two.
    #[error("server.tls_cert: only a start decides whether the gateway speaks TLS")]
    Tls,
    #[error("identity: no key is left to check tokens with")]
    NoKey,
    #[error("providers.openai: only a start decides whether the sandbox stands in for it")]
    Sandbox,
    #[error(transparent)]
    Certificate(#[from] TlsError),
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A task that keeps the state in line with the settings.
pub struct Reloader {
    current_state: Data<CurrentState>,
    tls: Arc<CurrentTls>,
    source: SettingsSource,
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
    /// Creates a reloader of the current state, and of the certificate at `tls`.
    pub fn new(current_state: Data<CurrentState>, tls: Arc<CurrentTls>, source: SettingsSource) -> Self {
        let watched = FileWatch { seen: current_state.current().settings.files.clone(), changing: None };
        Self { current_state, tls, source, watched }
    }

    /// Checks the files at intervals until dropped, and reads the settings at once on `hangup`.
    pub async fn watch(mut self, mut hangup: Signal) {
        let mut clock = interval(POLL_INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let hung_up = tokio::select! {
                _ = clock.tick() => false,
                Some(()) = hangup.recv() => true,
            };
            let files = self.watched.seen.clone();
            // Fails only when the runtime shuts down.
            let Ok(now) = spawn_blocking(move || files.read_again()).await else { return };
            if self.watched.have_changed(&now) || hung_up {
                self.reload(now).await;
            }
        }
    }

    async fn reload(&mut self, now: Files) {
        if let Err(reason) = self.try_reload(now).await {
            tracing::error!(target: AUDIT, %reason, "the settings were not taken over; the old ones stay in force");
        }
    }

    async fn try_reload(&mut self, now: Files) -> Result<(), ReloadError> {
        if let Some(pipe) = self.current_state.current().settings.files.read_once() {
            let pipe = pipe.to_owned();
            self.watched = FileWatch { seen: now, changing: None };
            return Err(ReloadError::ReadOnce(pipe));
        }
        let source = self.source.clone();
        // Fails only when the runtime shuts down.
        let Ok(read) = spawn_blocking(move || source.read()).await else { return Ok(()) };
        let settings = match read {
            Ok(settings) => settings,
            Err(problems) => {
                // Watch the files of the settings in force too: a missing file may come back.
                self.watched = FileWatch { seen: now.and(problems.files().clone()), changing: None };
                return Err(problems.into());
            }
        };
        self.watched = FileWatch { seen: settings.files.clone(), changing: None };
        self.replace(settings)
    }

    /// Replaces the state by one with these settings.
    fn replace(&self, settings: Settings) -> Result<(), ReloadError> {
        let old = self.current_state.current();
        if settings.fixed.server.is_loopback() != old.settings.fixed.server.is_loopback() {
            return Err(ReloadError::Loopback);
        }
        if settings.tls.is_some() != old.settings.tls.is_some() {
            return Err(ReloadError::Tls);
        }
        let Reloaded { settings, need_restart } = settings.for_running(&old.settings);
        if settings.identity.is_empty() {
            return Err(ReloadError::NoKey);
        }
        if settings.uses_sandbox() != old.shared.sandbox.is_some() {
            return Err(ReloadError::Sandbox);
        }
        let tls = settings.tls.as_ref().map(Tls::new).transpose()?;
        self.current_state.replace(build_state(settings, Arc::clone(&old.shared), Some(&old))?);
        self.tls.replace(tls);
        tracing::info!(target: AUDIT, "the settings were read again and are in force");
        for tables in need_restart {
            tracing::warn!(target: AUDIT, tables, "changes to these settings need a restart");
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
        let mut write_and_check = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let now = watched.seen.read_again();
            watched.have_changed(&now)
        };
        assert_eq!(["", "half", "the whole", "the whole"].map(&mut write_and_check), [false, false, false, true]);
        assert_eq!(
            ["half", "", "half", "half"].map(write_and_check),
            [false, false, false, true],
            "it was as before in between"
        );
    }
}
