//! `voxgate init`: writes a settings file with the usual keys, and the secret that signs tokens beside it.

use std::env;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use tempfile::Builder;

use super::generated_secret::random_secret;
use super::output::{Failure, own_command, print};
use crate::identity::is_short_secret;
use crate::private_dir;

const TEMPLATE: &str = include_str!("init.toml");

/// The name of the settings file, unless the caller names one.
const SETTINGS: &str = "voxgate.toml";
/// The folder of the secrets, beside the settings.
const SECRETS: &str = "secrets";

/// The ports to choose from for clients and for operations: the usual one, unless another process has it.
const PORTS: Range<u16> = 8080..8090;
const OPS_PORTS: Range<u16> = 9464..9474;

/// The modes of new files. The settings hold no secret.
const SECRET_MODE: u32 = 0o600;
const SETTINGS_MODE: u32 = 0o644;

/// The most bytes of a secret that is there.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

const NOTES: &str = "\
It asks nothing, overwrites nothing, and copies no secret from the environment. A key in
OPENAI_API_KEY stays there, and wins over the file.";

/// Arguments of `voxgate init`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Init {
    /// The settings file to write [default: voxgate.toml]; the folder `secrets` comes beside it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The reason why no settings were written.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error("{} is there already, and was not changed; name another file: voxgate init FILE", .0.display())]
    Exists(PathBuf),
    #[error("{} is no name of a file", .0.display())]
    NoFile(PathBuf),
    #[error("{} cannot be used: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is there already, and is shorter than 32 bytes: `openssl rand -hex 32` makes a secret", .0.display())]
    ShortSecret(PathBuf),
    #[error("{}: a path in settings is UTF-8", .0.display())]
    NotText(PathBuf),
    #[error("{0:?}: a path in settings has no line break and no other control character")]
    Control(PathBuf),
}

impl InitError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Io { path, error }
    }
}

impl Init {
    /// Writes the settings, to `config` if the arguments name no file.
    pub(super) fn run(self, config: Option<PathBuf>) -> Result<(), Failure> {
        let file = self.file.or(config).unwrap_or_else(|| SETTINGS.into());
        let place = Place::find(&file).map_err(Failure::other)?;
        let written = place.write().map_err(Failure::other)?;
        print(|out| written.describe(out, &file))
    }
}

/// The places of the new files, as absolute paths: the gateway may be started from any folder.
struct Place {
    settings: PathBuf,
    folder: PathBuf,
}

/// The files of a gateway that can be started.
struct Written {
    secret: Secret,
    provider_key: ProviderKey,
}

/// The secret that signs tokens.
enum Secret {
    Made(PathBuf),
    /// It was there already.
    Kept(PathBuf),
    /// The environment has one.
    InEnvironment,
}

/// The provider's key.
#[derive(Clone)]
enum ProviderKey {
    InEnvironment,
    InFile(PathBuf),
    /// None; this is the file for it.
    Missing(PathBuf),
}

impl Place {
    fn find(file: &Path) -> Result<Self, InitError> {
        let is_folder = [&b"/"[..], b"/."].iter().any(|end| file.as_os_str().as_bytes().ends_with(end));
        let name = file.file_name().filter(|_| !is_folder).ok_or_else(|| InitError::NoFile(file.to_owned()))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let folder = folder.canonicalize().map_err(InitError::io(folder))?;
        let settings = folder.join(name);
        // Nothing is written before it is known that the settings can name it.
        quoted(&settings)?;
        // A loose link counts, too. Writing looks again.
        if settings.symlink_metadata().is_ok() {
            return Err(InitError::Exists(settings));
        }
        Ok(Self { settings, folder })
    }

    /// Writes the secret first, so that settings that are there can be used.
    fn write(&self) -> Result<Written, InitError> {
        let secrets = self.folder.join(SECRETS);
        let secret = if is_set("VOXGATE_JWT_SECRET") || is_set("VOXGATE_JWT_SECRET_FILE") {
            Secret::InEnvironment
        } else {
            private_dir::make(&secrets).map_err(InitError::io(&secrets))?;
            make_secret(secrets.join("jwt_secret"))?
        };
        let key_file = secrets.join("openai_api_key");
        let provider_key = if is_set("OPENAI_API_KEY") || is_set("OPENAI_API_KEY_FILE") {
            ProviderKey::InEnvironment
        } else if key_file.is_file() {
            ProviderKey::InFile(key_file)
        } else {
            // The folder for it, which nobody else may read.
            private_dir::make(&secrets).map_err(InitError::io(&secrets))?;
            ProviderKey::Missing(key_file)
        };
        let text = self.settings_text(&secret, &provider_key)?;
        match write_new(&self.settings, text.as_bytes(), SETTINGS_MODE) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(InitError::Exists(self.settings.clone())),
            written => written.map_err(InitError::io(&self.settings)),
        }?;
        Ok(Written { secret, provider_key })
    }

    fn settings_text(&self, secret: &Secret, key: &ProviderKey) -> Result<String, InitError> {
        let jwt_secret = match secret {
            Secret::Made(file) | Secret::Kept(file) => format!("jwt_secret_file = {}", quoted(file)?),
            Secret::InEnvironment => {
                let file = quoted(&self.folder.join(SECRETS).join("jwt_secret"))?;
                format!(
                    "# VOXGATE_JWT_SECRET was set when this file was written: the environment has the secret. A file can hold it,\n# too: mode 0600, in a folder of mode 0700.\n# jwt_secret_file = {file}"
                )
            }
        };
        let api_key = match key {
            ProviderKey::InFile(file) => format!("api_key_file = {}", quoted(file)?),
            ProviderKey::InEnvironment => {
                let file = quoted(&self.folder.join(SECRETS).join("openai_api_key"))?;
                format!(
                    "# OPENAI_API_KEY was set when this file was written: the environment has the key. A file can hold it, too: mode 0600,\n# in a folder of mode 0700.\n# api_key_file = {file}"
                )
            }
            ProviderKey::Missing(file) => {
                format!(
                    "# The key in a file of mode 0600, without the `#`; or OPENAI_API_KEY in the environment.\n# api_key_file = {}",
                    quoted(file)?
                )
            }
        };
        let redis = if is_set("REDIS_URL") {
            "# REDIS_URL was set when this file was written, and the gateway uses it.\n# url = \"redis://127.0.0.1:6379/0\""
        } else {
            "# url = \"redis://127.0.0.1:6379/0\"                  # also REDIS_URL"
        };
        let address = |ports| toml::Value::from(format!("127.0.0.1:{}", free_port(ports))).to_string();
        let values = [
            ("{bind}", address(PORTS)),
            ("{ops_bind}", address(OPS_PORTS)),
            ("{redis}", redis.to_owned()),
            ("{data_dir}", quoted(&self.folder.join("voxgate-data"))?),
            ("{jwt_secret}", jwt_secret),
            ("{api_key}", api_key),
        ];
        Ok(fill(TEMPLATE, &values))
    }
}

impl Written {
    fn describe(&self, out: &mut dyn Write, file: &Path) -> io::Result<()> {
        writeln!(out, "Wrote {}.", file.display())?;
        match &self.secret {
            Secret::Made(secret) => writeln!(out, "Wrote {}: it signs the tokens. Keep it secret.", secret.display())?,
            Secret::Kept(secret) => writeln!(out, "{} was there: it signs the tokens.", secret.display())?,
            Secret::InEnvironment => writeln!(out, "The secret that signs tokens is in the environment.")?,
        }
        match &self.provider_key {
            ProviderKey::InEnvironment => writeln!(out, "The provider's key is in the environment.")?,
            ProviderKey::InFile(key) => writeln!(out, "{} was there: the provider's key.", key.display())?,
            ProviderKey::Missing(key) => writeln!(
                out,
                "There is no provider's key yet, so the sandbox answers. Set OPENAI_API_KEY, or put the key into\n{}, with mode 0600, and remove the `#` before api_key_file.",
                key.display()
            )?,
        }
        let command = own_command(Some(file));
        writeln!(out, "\nNext:\n  {command} check                try the settings")?;
        writeln!(out, "  {command}                      serve, and print where the console is")?;
        writeln!(out, "  {command} token --sub alice    make a token")
    }
}

/// Makes a secret, or finds the one that is there: of an earlier start, or of another `voxgate init` at the same time.
fn make_secret(path: PathBuf) -> Result<Secret, InitError> {
    match write_new(&path, random_secret().expose_secret().as_bytes(), SECRET_MODE) {
        Ok(()) => Ok(Secret::Made(path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check_secret(&path).map(|()| Secret::Kept(path)),
        Err(error) => Err(InitError::io(&path)(error)),
    }
}

fn check_secret(path: &Path) -> Result<(), InitError> {
    let mut text = String::new();
    let file = private_dir::open(path, OpenOptions::new().read(true)).map_err(InitError::io(path))?;
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text).map_err(InitError::io(path))?;
    if is_short_secret(&SecretString::from(text.trim().to_owned())) {
        return Err(InitError::ShortSecret(path.to_owned()));
    }
    Ok(())
}

/// Writes a new file whole: it is written aside first, and no file that is there is replaced.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file =
        Builder::new().prefix(".voxgate-init-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// True if a variable has a value. An empty one counts as not set, as for the settings.
fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty())
}

/// Returns the first port of this machine that no process has; the first of all if each is taken.
fn free_port(mut ports: Range<u16>) -> u16 {
    let usual = ports.start;
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap_or(usual)
}

/// Puts values into the places of a template that have their names. What a value contains is no such place.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        filled.push_str(before);
        let place = values.iter().find_map(|(name, value)| {
            let after = from.strip_prefix(name.strip_prefix('{')?)?;
            Some((value, after))
        });
        rest = if let Some((value, after)) = place {
            filled.push_str(value);
            after
        } else {
            filled.push('{');
            from
        };
    }
    filled + rest
}

/// Writes a path as TOML does, in one line.
fn quoted(path: &Path) -> Result<String, InitError> {
    let text = path.to_str().ok_or_else(|| InitError::NotText(path.to_owned()))?;
    if text.chars().any(char::is_control) {
        return Err(InitError::Control(path.to_owned()));
    }
    Ok(toml::Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_filled_in_once() {
        let values = [("{a}", "{b}{a}".to_owned()), ("{b}", "1".to_owned())];
        assert_eq!(fill("{a}-{b}-{c}-{", &values), "{b}{a}-1-{c}-{");
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(port..port.saturating_add(50)), port);
        assert_eq!(free_port(port..port + 1), port, "none is free");
    }
}
