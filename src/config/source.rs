//! The sources of settings: a TOML file, and then the environment, which overrides it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::files::Files;
use super::reader::{Origins, Problems};

/// The variables that have names unlike their keys.
const NAMED: [(&str, &str); 12] = [
    ("VOXGATE_BIND", "server.bind"),
    ("VOXGATE_OPS_BIND", "server.ops_bind"),
    ("VOXGATE_JWT_SECRET", "identity.jwt_secret"),
    ("VOXGATE_JWT_SECRET_FILE", "identity.jwt_secret_file"),
    ("OPENAI_API_KEY", "providers.openai.api_key"),
    ("OPENAI_API_KEY_FILE", "providers.openai.api_key_file"),
    ("OPENAI_BASE_URL", "providers.openai.base_url"),
    ("REDIS_URL", "redis.url"),
    ("VOXGATE_DATA_DIR", "store.data_dir"),
    ("VOXGATE_ON_STORE_FAILURE", "on_store_failure"),
    ("VOXGATE_DEFAULT_MODEL", "default_model"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
];

/// The settings as they were written, before any check.
pub(super) struct Source {
    pub(super) table: Table,
    pub(super) origins: Origins,
    pub(super) files: Files,
}

/// Returns the variables of this process. The gateway has none that are not UTF-8.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads `file`, or the file that `VOXGATE_CONFIG` names, and overrides it with the variables in `environment`.
pub(super) fn read(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Source, Problems> {
    // An empty variable counts as unset: compose files set one for each value that the operator left out.
    let environment: Vec<_> = environment.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
    let named_file = environment.iter().find(|(name, _)| name == "VOXGATE_CONFIG").map(|(_, value)| value.into());
    let mut files = Files::default();
    let mut table = match file.map(PathBuf::from).or(named_file) {
        Some(path) => read_file(&path, &mut files)?,
        None => Table::new(),
    };
    let mut origins = Origins::new();
    let settings: Vec<_> =
        environment.into_iter().filter_map(|(name, value)| Some((key_of(&name)?, name, value))).collect();
    for (key, ..) in &settings {
        unset_twin(&mut table, key);
    }
    for (key, name, value) in settings {
        set(&mut table, &key, value);
        origins.insert(key, name);
    }
    Ok(Source { table, origins, files })
}

fn read_file(path: &Path, files: &mut Files) -> Result<Table, Problems> {
    let (name, text) = (path.display().to_string(), files.read(path));
    let mut problems = Problems::among(files.clone());
    let text = text.map_err(|error| {
        problems.add(&name, format!("cannot be read: {error}"));
        problems.clone()
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        // Show the message alone: the excerpt that the error also carries could hold a secret.
        let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        problems.add(&name, format!("is not TOML: {place}{}", error.message()));
        problems
    })
}

/// Returns the key that a variable sets. Other variables that start with `VOXGATE_` are ignored: Kubernetes sets
/// `VOXGATE_PORT` and the like for a service of that name.
fn key_of(variable: &str) -> Option<String> {
    if let Some((_, key)) = NAMED.iter().find(|(name, _)| *name == variable) {
        return Some((*key).to_owned());
    }
    let path = variable.strip_prefix("VOXGATE_")?;
    path.contains("__").then(|| path.to_lowercase().split("__").collect::<Vec<_>>().join("."))
}

/// Removes the file's secret if the environment has one, whichever of the two forms each uses. Both forms in the
/// environment remain a mistake.
fn unset_twin(table: &mut Table, key: &str) {
    let Some((section, name)) = key.rsplit_once('.') else { return };
    let twin = match name.strip_suffix("_file") {
        Some(plain) => plain.to_owned(),
        None => format!("{name}_file"),
    };
    let inner = section.split('.').try_fold(table, |table, part| table.get_mut(part)?.as_table_mut());
    if let Some(inner) = inner {
        inner.remove(&twin);
    }
}

fn set(table: &mut Table, key: &str, value: String) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), Value::String(value));
        }
        Some((section, rest)) => {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            // A value that is not a table here is wrong in any case; the reader reports it.
            if let Value::Table(inner) = entry {
                set(inner, rest, value);
            }
        }
    }
}
