//! The settings: read once and checked as a whole; every mistake is reported.
//!
//! A TOML file and the environment become one tree ([`source`]). Each topic reads its table from the tree ([`reader`])
//! and checks it; a key that is left over is unknown. This module does not know the use of the settings.

mod cors;
mod files;
mod identity;
mod intake;
mod models;
mod plans;
mod presets;
mod providers;
mod reader;
mod sandbox;
mod secret;
mod server;
mod sessions;
mod source;
mod store;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;
mod value;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use cors::Cors;
pub use files::Files;
pub use identity::Identity;
pub use intake::Intake;
pub use models::{Fallback, Model};
pub use plans::{AudioRate, Plan, RequestRate};
pub use providers::{OPENAI, Provider, ProviderKey};
pub use reader::Problems;
pub use sandbox::Sandbox;
pub use server::{LogFormat, Server};
pub use sessions::Sessions;
pub use store::{Namespace, OnStoreFailure, Redis, RedisUrl, RedisUrlError, Store};
pub use telemetry::Telemetry;
pub use tls::TlsFiles;
pub use upstream::{Breaker, Relay, Upstream};
pub use wire::ProviderApi;

use reader::Section;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[cors]`
    pub cors: Cors,
    /// `[identity]`
    pub identity: Identity,
    /// `[intake]`
    pub intake: Intake,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[relay]`
    pub relay: Relay,
    /// `log.format`
    pub log_format: LogFormat,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[store]`, `[redis]`, `[ledger]`, `on_store_failure`
    pub store: Store,
    /// `[sandbox]`
    pub sandbox: Sandbox,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[providers]` by name; `openai` is always there, unless the gateway listens off loopback and only other providers
    /// are configured.
    pub providers: BTreeMap<String, Provider>,
    /// `[models]` by name.
    pub models: BTreeMap<String, Model>,
    /// `[plans]` by name; `default` is always there.
    pub plans: BTreeMap<String, Plan>,
    /// The model of a request that names none; always a key of `models`.
    pub default_model: String,
    /// The files that the settings were read from.
    pub files: Files,
}

impl Settings {
    /// Reads `file`, or the file that `VOXGATE_CONFIG` names, and the environment of this process.
    pub fn load(file: Option<&Path>) -> Result<Self, Problems> {
        // The gateway has no variables that are not UTF-8.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_source(file, environment)
    }

    fn from_source(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut source = source::read(file, environment)?;
        models::merge_built_in(&mut source.table);
        let mut root = Section::root(source.table, source.origins, source.files);
        let server = Server::read(root.section("server"));
        let identity = Identity::read(root.section("identity"), server.is_loopback());
        let providers = providers::read_providers(&mut root);
        let models = models::read_models(&mut root, &providers);
        let mut settings = Self {
            cors: Cors::read(root.section("cors")),
            intake: Intake::read(root.section("intake")),
            upstream: Upstream::read(root.section("upstream")),
            relay: Relay::read(root.section("relay")),
            log_format: server::read_log(root.section("log")),
            telemetry: Telemetry::read(root.section("telemetry")),
            sandbox: Sandbox::read(root.section("sandbox")),
            sessions: Sessions::read(root.section("sessions")),
            store: Store::read(&mut root),
            plans: plans::read_plans(&mut root, &models),
            default_model: root.value("default_model", "gpt-transcribe".to_owned()),
            server,
            identity,
            providers,
            models,
            files: Files::default(),
        };
        settings.check_default_model(&root);
        settings.check_secrets(&root);
        if settings.serves_from_sandbox_alone() {
            settings.store = settings.store.with_namespace(Namespace::Sandbox);
        }
        let notes = root.notes();
        root.finish();
        let problems = notes.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        problems.files().clone_into(&mut settings.files);
        Ok(settings)
    }

    /// Returns these settings for a gateway that already runs with `old`: settings that need a restart keep their old
    /// values. Also returns the names of those that differ.
    #[must_use]
    pub fn for_running(mut self, old: &Self) -> (Self, Vec<&'static str>) {
        let intake = Intake {
            spool_memory_bytes: old.intake.spool_memory_bytes,
            max_spool_memory_bytes: old.intake.max_spool_memory_bytes,
            max_spool_disk_bytes: old.intake.max_spool_disk_bytes,
            spool_dir: old.intake.spool_dir.clone(),
            ..self.intake.clone()
        };
        let upstream = Upstream {
            connect_timeout: old.upstream.connect_timeout,
            pool_idle_timeout: old.upstream.pool_idle_timeout,
            ..self.upstream.clone()
        };
        let server = Server { tls: self.server.tls.clone(), ..old.server.clone() };
        let differs = [
            ("server", self.server != server),
            ("cors", self.cors != old.cors),
            ("log", self.log_format != old.log_format),
            ("telemetry", self.telemetry != old.telemetry),
            ("sandbox", self.sandbox != old.sandbox),
            ("store, redis, ledger", self.store != old.store),
            ("intake.spool_dir, intake.*spool*_bytes", self.intake != intake),
            ("upstream.connect_timeout, upstream.pool_idle_timeout", self.upstream != upstream),
        ];
        (self.intake, self.upstream) = (intake, upstream);
        (self.server, self.cors) = (server, old.cors.clone());
        (self.log_format, self.telemetry) = (old.log_format, old.telemetry.clone());
        self.sandbox = old.sandbox.clone();
        self.store = old.store.clone();
        (self, differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect())
    }

    /// True if the sandbox serves OpenAI's models because there is no key.
    pub fn uses_sandbox(&self) -> bool {
        self.providers.get(OPENAI).is_some_and(|openai| openai.keys.is_empty())
            && self.models.values().any(|model| model.provider == OPENAI)
    }

    /// True if the sandbox is the only provider, so that no request can cost anything.
    fn serves_from_sandbox_alone(&self) -> bool {
        self.uses_sandbox() && self.models.values().all(|model| model.provider == OPENAI)
    }

    fn check_default_model(&self, root: &Section) {
        if !self.models.contains_key(&self.default_model) {
            let known: Vec<_> = self.models.keys().map(String::as_str).collect();
            let what = format!("got \"{}\"; takes one of: {}", self.default_model, known.join(", "));
            root.problem("default_model", what);
        }
    }

    /// Reports missing secrets: the gateway may generate them only if no other machine can connect.
    fn check_secrets(&mut self, root: &Section) {
        if self.server.is_loopback() {
            return;
        }
        let address = self.server.bind;
        if self.identity.is_empty() {
            let what = format!("is required to listen on {address}; set VOXGATE_JWT_SECRET or VOXGATE_JWT_SECRET_FILE");
            root.problem("identity.jwt_secret", what);
        }
        if self.uses_sandbox() {
            if self.models.get(&self.default_model).is_some_and(|model| model.provider == OPENAI) {
                let what = format!("is required to listen on {address}; set OPENAI_API_KEY or OPENAI_API_KEY_FILE");
                root.problem("providers.openai.api_key", what);
            }
            // The operator uses another provider, so models of OpenAI alone are not offered.
            self.models.retain(|_, model| model.provider != OPENAI);
            let left: BTreeSet<_> = self.models.keys().cloned().collect();
            for model in self.models.values_mut() {
                model.fallbacks.retain(|fallback| left.contains(&fallback.model));
            }
            // Models that are not configured must not be sent there either.
            self.providers.remove(OPENAI);
        }
    }
}
