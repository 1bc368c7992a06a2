//! The settings that only a restart changes.

use super::cors::Cors;
use super::intake::Spool;
use super::live::LiveCapacity;
use super::sandbox::Sandbox;
use super::server::{LogFormat, Server};
use super::speech::SpeechPool;
use super::store::Store;
use super::telemetry::Telemetry;
use super::upstream::ProviderConnections;

/// The settings that only a restart changes, since what was built from them at the start outlives a reload. A reload reads
/// them too, warns about those that differ, and keeps the ones of the start. All other settings change with a reload.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// `[server]`, except the certificate and its key.
    pub server: Server,
    /// `[cors]`
    pub cors: Cors,
    /// `log.format`
    pub log_format: LogFormat,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[sandbox]`
    pub sandbox: Sandbox,
    /// `[store]`, `[redis]`, `[ledger]`, `on_store_failure`
    pub store: Store,
    /// The part of `[intake]` that says where recordings are kept.
    pub spool: Spool,
    /// `speech.threads`
    pub speech_pool: SpeechPool,
    /// `live.max_sessions`
    pub live: LiveCapacity,
    /// The part of `[upstream]` that says how to connect to providers.
    pub connections: ProviderConnections,
}

impl Fixed {
    /// Returns the names of the settings that differ from those at the start.
    pub(super) fn changed_since(&self, start: &Self) -> Vec<&'static str> {
        // Without `..`, so that the compiler asks for the name of each new field.
        let Self { server, cors, log_format, telemetry, sandbox, store, spool, speech_pool, live, connections } = self;
        let differs = [
            ("server", *server != start.server),
            ("cors", *cors != start.cors),
            ("log", *log_format != start.log_format),
            ("telemetry", *telemetry != start.telemetry),
            ("sandbox", *sandbox != start.sandbox),
            ("store, redis, ledger", *store != start.store),
            ("intake.spool_dir, intake.*spool*_bytes", *spool != start.spool),
            ("speech.threads", *speech_pool != start.speech_pool),
            ("live.max_sessions", *live != start.live),
            ("upstream.connect_timeout, upstream.pool_idle_timeout", *connections != start.connections),
        ];
        differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}
