//! The settings of a gateway that one command starts for itself: what it works with, and nothing of a service.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use super::Settings;
use super::reader::Problems;
use super::source::{self, Source};

/// The tables and keys about a service: its addresses, its callers, their limits, and where several gateways keep them.
const OF_A_SERVICE: [&str; 13] = [
    "server",
    "cors",
    "log",
    "telemetry",
    "sandbox",
    "store",
    "redis",
    "ledger",
    "on_store_failure",
    "identity",
    "sessions",
    "console",
    "plans",
];

/// The requests with audio that may be in flight: more than a command sends at once.
const MAX_IN_FLIGHT: usize = 64;
const MAX_CONNECTIONS: usize = 256;

/// The time for an upload, and for reading an answer: the only client is the command, which is as slow as the program that
/// writes its standard input and the one that reads its standard output.
const CLIENT_TIME: Duration = Duration::from_hours(24);

impl Settings {
    /// Reads the settings as [`Settings::load`] does, but only what says how to transcribe: providers, models, and the
    /// limits of the work. The gateway listens on a free loopback port alone, keeps its records in `data_dir`, and limits
    /// nothing by a plan. It has no sandbox: without a key, OpenAI and its models are left out.
    pub fn for_one_command(file: Option<&Path>, data_dir: PathBuf) -> Result<Self, Problems> {
        Self::for_one_command_from(source::read(file, source::environment())?, data_dir)
    }

    fn for_one_command_from(mut source: Source, data_dir: PathBuf) -> Result<Self, Problems> {
        for key in OF_A_SERVICE {
            source.table.remove(key);
        }
        source.table.insert("plans".to_owned(), unlimited_plan());
        let mut settings = Self::from_tree(source)?.without_sandbox();
        settings.console.enabled = false;
        let server = &mut settings.fixed.server;
        server.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        server.ops_bind = None;
        (server.max_in_flight, server.max_connections) = (MAX_IN_FLIGHT, MAX_CONNECTIONS);
        server.write_timeout = CLIENT_TIME;
        let intake = &mut settings.intake;
        (intake.idle_timeout, intake.body_timeout, intake.min_bytes_per_second) = (CLIENT_TIME, CLIENT_TIME, 0);
        // The only session is the command's, which ends it.
        let live = &mut settings.live;
        (live.enabled, live.idle_timeout, live.max_time) = (true, CLIENT_TIME, CLIENT_TIME);
        settings.fixed.store.data_dir = data_dir;
        Ok(settings)
    }
}

/// Returns `[plans]` with a default plan that allows every model, configured or not.
fn unlimited_plan() -> Value {
    let any = Value::Array(vec![Value::String("*".to_owned())]);
    let plan = Table::from_iter([("models".to_owned(), any)]);
    Value::Table(Table::from_iter([("default".to_owned(), Value::Table(plan))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str, variables: &[(&str, &str)]) -> Result<Settings, Problems> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut source = source::read(None, variables)?;
        source.table.extend(toml.parse::<Table>().unwrap());
        Settings::for_one_command_from(source, PathBuf::from("records"))
    }

    #[test]
    fn what_a_service_has_does_not_reach_a_command() {
        let toml = "[server]\nbind = \"0.0.0.0:80\"\nnonsense = 1\n[plans.default]\nmonthly_usd = 1\n";
        let variables = [
            ("OPENAI_API_KEY", "sk-1"),
            ("REDIS_URL", "redis://elsewhere"),
            ("VOXGATE_DATA_DIR", "elsewhere"),
            ("VOXGATE_JWT_SECRET", "short"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere"),
        ];
        let settings = read(toml, &variables).unwrap();
        assert!(settings.fixed.server.is_loopback() && settings.fixed.server.ops_bind.is_none());
        assert!(settings.identity.is_empty() && settings.fixed.store.redis.is_none());
        assert_eq!(settings.fixed.store.data_dir, Path::new("records"));
        assert!(settings.fixed.telemetry.otlp_endpoint.is_none());
        let plan = &settings.plans["default"];
        assert!(plan.monthly_usd.is_none() && plan.allows_unknown() && settings.plans.len() == 1);
    }

    #[test]
    fn without_a_key_there_is_no_sandbox() {
        assert!(read("", &[]).unwrap().models.is_empty());
        let local = "[providers.local]\nbase_url = \"http://localhost:8000/v1\"\n\
                     [models.small]\nprovider = \"local\"\nfallbacks = [\"whisper-1\"]\n";
        let settings = read(local, &[]).unwrap();
        assert_eq!(settings.models.keys().collect::<Vec<_>>(), ["small"]);
        assert!(!settings.uses_sandbox() && settings.models["small"].fallbacks.is_empty());
        assert!(read("", &[("OPENAI_API_KEY", "sk-1")]).unwrap().models.contains_key("whisper-1"));
    }

    #[test]
    fn the_sound_of_a_command_may_pause() {
        let toml = "[live]\nenabled = false\nidle_timeout = \"5s\"\nturn_pause = \"1s\"\n";
        let live = read(toml, &[("OPENAI_API_KEY", "sk-1")]).unwrap().live;
        assert!(live.enabled && live.idle_timeout == CLIENT_TIME && live.turn_pause == Duration::from_secs(1));
    }

    #[test]
    fn mistakes_in_what_a_command_uses_are_reported() {
        let problems = read("[speech]\npeice_seconds = 30\n", &[]).unwrap_err().to_string();
        assert!(problems.contains("piece_seconds"), "{problems}");
    }
}
