//! The settings: read once and checked as a whole; every mistake is reported.
//!
//! A TOML file and the environment become one tree ([`source`]). Each topic reads its table from the tree ([`reader`])
//! and checks it; a key that is left over is unknown. This module does not know the use of the settings.

mod accepts;
mod console;
mod cors;
mod files;
mod fixed;
mod identity;
mod intake;
mod live;
mod models;
mod one_command;
mod plans;
mod presets;
mod providers;
mod reader;
mod sandbox;
mod secret;
mod server;
mod sessions;
mod source;
mod speech;
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

pub use console::Console;
pub use cors::Cors;
pub use files::Files;
pub use fixed::Fixed;
pub use identity::Identity;
pub use intake::{Intake, Spool};
pub use live::Live;
pub use models::{Fallback, Model};
pub use plans::{AudioRate, Plan, RequestRate};
pub use providers::{OPENAI, Provider, ProviderKey};
pub use reader::Problems;
pub use sandbox::Sandbox;
pub use server::{LogFormat, Server};
pub use sessions::Sessions;
pub use speech::{Speech, SpeechPool};
pub use store::{Namespace, OnStoreFailure, Redis, RedisUrl, RedisUrlError, Store};
pub use telemetry::Telemetry;
pub use tls::TlsFiles;
pub use upstream::{Breaker, ProviderConnections, Relay, Upstream};
pub use wire::ProviderApi;

use reader::Section;
use source::Source;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings that only a restart changes.
    pub fixed: Fixed,
    /// `server.tls_cert` and `server.tls_key`: the certificate and key for HTTPS; without them, plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `[identity]`
    pub identity: Identity,
    /// The part of `[intake]` that limits an upload.
    pub intake: Intake,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[relay]`
    pub relay: Relay,
    /// `[speech]`, except the threads.
    pub speech: Speech,
    /// `[live]`
    pub live: Live,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[console]`
    pub console: Console,
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

/// Settings for a gateway that already runs.
#[derive(Debug)]
pub struct Reloaded {
    /// The new settings, with the fixed part of the running gateway.
    pub settings: Settings,
    /// The names of the settings that differ and need a restart.
    pub need_restart: Vec<&'static str>,
}

impl Settings {
    /// Reads `file`, or the file that `VOXGATE_CONFIG` names, and the environment of this process.
    pub fn load(file: Option<&Path>) -> Result<Self, Problems> {
        Self::from_source(file, source::environment())
    }

    fn from_source(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let settings = Self::from_tree(source::read(file, environment)?)?;
        Ok(settings.with_usable_models().with_namespace())
    }

    /// Reads all topics from the tree, and checks them.
    fn from_tree(mut source: Source) -> Result<Self, Problems> {
        models::merge_built_in(&mut source.table);
        let mut root = Section::root(source.table, source.origins, source.files);
        let settings = Self::read(&mut root);
        settings.check_default_model(&root);
        settings.check_secrets(&root);
        let diagnostics = root.diagnostics();
        root.finish();
        let problems = diagnostics.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let files = problems.files().clone();
        Ok(Self { files, ..settings })
    }

    fn read(root: &mut Section) -> Self {
        let (mut server, mut intake, mut speech, mut upstream) =
            (root.section("server"), root.section("intake"), root.section("speech"), root.section("upstream"));
        let tls = TlsFiles::read(&mut server);
        let fixed = Fixed {
            server: Server::read(server, tls.is_some()),
            cors: Cors::read(root.section("cors")),
            log_format: server::read_log(root.section("log")),
            telemetry: Telemetry::read(root.section("telemetry")),
            sandbox: Sandbox::read(root.section("sandbox")),
            store: Store::read(root),
            spool: Spool::read(&mut intake),
            speech_pool: SpeechPool::read(&mut speech),
            connections: ProviderConnections::read(&mut upstream),
        };
        let identity = Identity::read(root.section("identity"), fixed.server.is_loopback());
        let providers = providers::read_providers(root);
        let models = models::read_models(root, &providers);
        Self {
            tls,
            identity,
            intake: Intake::read(intake, &fixed.spool),
            upstream: Upstream::read(upstream),
            relay: Relay::read(root.section("relay")),
            speech: Speech::read(speech),
            live: Live::read(root.section("live")),
            sessions: Sessions::read(root.section("sessions")),
            console: Console::read(root.section("console")),
            plans: plans::read_plans(root, &models),
            default_model: root.value("default_model", "gpt-transcribe".to_owned()),
            providers,
            models,
            fixed,
            files: Files::default(),
        }
    }

    /// Returns these settings for a gateway that runs with `old`.
    #[must_use]
    pub fn for_running(self, old: &Self) -> Reloaded {
        let need_restart = self.fixed.changed_since(&old.fixed);
        Reloaded { settings: Self { fixed: old.fixed.clone(), ..self }, need_restart }
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

    fn default_is_openais(&self) -> bool {
        self.models.get(&self.default_model).is_some_and(|model| model.provider == OPENAI)
    }

    fn check_default_model(&self, root: &Section) {
        if !self.models.contains_key(&self.default_model) {
            let known: Vec<_> = self.models.keys().map(String::as_str).collect();
            let what = format!("got \"{}\"; takes one of: {}", self.default_model, known.join(", "));
            root.problem("default_model", what);
        }
    }

    /// Reports missing secrets: the gateway may generate them only if no other machine can connect.
    fn check_secrets(&self, root: &Section) {
        let server = &self.fixed.server;
        if server.is_loopback() {
            return;
        }
        let address = server.bind;
        if self.identity.is_empty() {
            let what = format!("is required to listen on {address}; set VOXGATE_JWT_SECRET or VOXGATE_JWT_SECRET_FILE");
            root.problem("identity.jwt_secret", what);
        }
        if self.uses_sandbox() && self.default_is_openais() {
            let what = format!("is required to listen on {address}; set OPENAI_API_KEY or OPENAI_API_KEY_FILE");
            root.problem("providers.openai.api_key", what);
        }
    }

    /// Returns these settings without the sandbox if the operator uses another provider: the default model is another
    /// provider's, or other machines can connect. Callers then get only models that recognise speech.
    fn with_usable_models(self) -> Self {
        let may_use_sandbox = self.fixed.server.is_loopback() && self.default_is_openais();
        if may_use_sandbox { self } else { self.without_sandbox() }
    }

    /// Returns these settings without OpenAI and its models if the sandbox would stand in for it.
    fn without_sandbox(mut self) -> Self {
        if !self.uses_sandbox() {
            return self;
        }
        self.models.retain(|_, model| model.provider != OPENAI);
        let left: BTreeSet<_> = self.models.keys().cloned().collect();
        for model in self.models.values_mut() {
            model.fallbacks.retain(|fallback| left.contains(&fallback.model));
        }
        // Models that are not configured must not be sent there either.
        self.providers.remove(OPENAI);
        self
    }

    /// Returns these settings with the namespace in the store that goes with the providers.
    fn with_namespace(mut self) -> Self {
        if self.serves_from_sandbox_alone() {
            self.fixed.store = self.fixed.store.with_namespace(Namespace::Sandbox);
        }
        self
    }
}
