//! The text for a person at startup. It goes to standard output and never to the log, since it may contain a token.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::output::own_command;
use super::token;
use crate::config::Settings;
use crate::identity::{KeyMaterial, is_short_secret};

/// The recording in the example request, relative to the repository's root.
const SAMPLE: &str = "tests/media/sample.wav";

/// The content of the banner for one set of settings.
pub(super) struct Banner {
    sandbox: bool,
    /// True if the gateway serves the console.
    console: bool,
    operator: OperatorPage,
    https: Https,
    weak_secret: bool,
    /// The path of the embedded store's file.
    database: Option<String>,
    access: Access,
    default_model: String,
    /// The command that runs this program again with the same settings file.
    command: String,
}

/// The ways for the reader to get a token.
enum Access {
    /// A token in the banner, for a person at a terminal of this machine. `is_generated` is true if the secret was generated
    /// for this run.
    Printed { token: SecretString, is_generated: bool },
    /// `voxgate token` makes one with the same secret.
    ByCommand,
    /// The secret was generated for this run, and there is no terminal to print a token to: set a secret.
    NeedsSecret,
    /// The gateway has no secret to sign with: an issuer makes the tokens.
    Issuer,
}

/// Whether the operator's page can be opened.
#[derive(Clone, Copy)]
enum OperatorPage {
    /// This machine can open it.
    Local,
    /// It asks for the operator's token.
    WithToken,
    /// There is no token for it, and other machines can connect.
    Closed,
}

impl OperatorPage {
    fn from_settings(settings: &Settings) -> Self {
        let is_on_loopback = settings.fixed.server.ops_bind.is_some_and(|address| address.ip().is_loopback());
        match (is_on_loopback, &settings.console.operator_token) {
            (true, _) => Self::Local,
            (false, Some(_)) => Self::WithToken,
            (false, None) => Self::Closed,
        }
    }
}

/// The state of HTTPS.
#[derive(Clone, Copy)]
enum Https {
    /// The gateway speaks TLS itself.
    Spoken,
    /// A proxy speaks TLS, and the gateway refuses plain HTTP.
    Required,
    /// HTTPS is not configured, and other machines can connect.
    Missing,
    /// HTTPS is not needed: only this machine can connect.
    Needless,
}

impl Https {
    fn from_settings(settings: &Settings) -> Self {
        let server = &settings.fixed.server;
        if settings.tls.is_some() {
            Self::Spoken
        } else if server.require_https {
            Self::Required
        } else if server.is_loopback() {
            Self::Needless
        } else {
            Self::Missing
        }
    }
}

impl Access {
    /// Chooses the way to get a token. The banner contains one only on a terminal and for a loopback address, where a
    /// person reads it and no other machine can use it. Any other standard output, such as a journal, may be stored.
    fn for_reader(settings: &Settings, is_generated: bool) -> Self {
        if settings.identity.secret.is_none() {
            return Self::Issuer;
        }
        let person = settings.fixed.server.is_loopback() && std::io::stdout().is_terminal();
        match token::for_trying(settings) {
            Ok(token) if person => Self::Printed { token, is_generated },
            _ if is_generated => Self::NeedsSecret,
            _ => Self::ByCommand,
        }
    }
}

impl Banner {
    /// Builds the banner for `settings`, which `file` holds in part. `is_generated` is true if the secret was generated for
    /// this run.
    pub(super) fn new(settings: &Settings, is_generated: bool, file: Option<&Path>) -> Self {
        let store = &settings.fixed.store;
        let database = || store.data_dir.join(store.namespace.database()).display().to_string();
        Self {
            sandbox: settings.uses_sandbox(),
            console: settings.console.enabled,
            operator: OperatorPage::from_settings(settings),
            https: Https::from_settings(settings),
            weak_secret: matches!(
                settings.identity.secret.as_ref().map(|key| &key.material),
                Some(KeyMaterial::Secret(secret)) if is_short_secret(secret)
            ),
            database: store.redis.is_none().then(database),
            access: Access::for_reader(settings, is_generated),
            default_model: settings.default_model.clone(),
            command: own_command(file),
        }
    }

    /// Prints the banner of a gateway that listens on `address`, and for its operator on `ops_address`, if it does.
    pub(super) fn print(&self, address: SocketAddr, ops_address: Option<SocketAddr>) {
        let mut out = std::io::stdout().lock();
        let text = self.text(address, ops_address);
        // Serve even if standard output is closed.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn text(&self, address: SocketAddr, ops_address: Option<SocketAddr>) -> String {
        let scheme = if matches!(self.https, Https::Spoken) { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let mut lines = vec![format!("\nVoxgate listens on {url}\n\n{}", self.pages(&url, ops_address))];
        lines.extend(self.console_address(&url));
        if self.sandbox {
            lines.push(
                "SANDBOX: no OPENAI_API_KEY is set, so no speech is recognised. The gateway does everything else for\n\
                 real and answers with what it measured. Set OPENAI_API_KEY for transcripts.\n"
                    .to_owned(),
            );
        }
        match self.https {
            Https::Missing => lines.push(
                "HTTPS: this address is not loopback and the gateway speaks plain HTTP. Put a TLS-terminating proxy\n\
                 in front of it, or set server.tls_cert and server.tls_key.\n"
                    .to_owned(),
            ),
            Https::Required => lines.push(
                "HTTPS: only what came to a trusted proxy over HTTPS is served (server.require_https).\n".to_owned(),
            ),
            Https::Spoken | Https::Needless => {}
        }
        if self.weak_secret {
            lines.push(
                "VOXGATE_JWT_SECRET is shorter than 32 bytes: fine for a try, refused off loopback.\n".to_owned(),
            );
        }
        let command = &self.command;
        if let Some(database) = &self.database {
            lines.push(format!("Usage and budgets are kept in {database}; `{command} usage` shows them.\n"));
        }
        lines.push(self.access(&url));
        lines.join("\n") + "\n"
    }

    /// Returns the addresses of the pages that can be opened without a caller's token.
    fn pages(&self, url: &str, ops_address: Option<SocketAddr>) -> String {
        let pages = format!("  Docs      {url}/docs/contents\n  API       {url}/docs\n");
        match (self.operator, ops_address) {
            (OperatorPage::Local, Some(address)) => format!("{pages}  Operator  http://{address}/\n"),
            (OperatorPage::WithToken, Some(address)) => {
                format!("{pages}  Operator  http://{address}/   (asks for its token)\n")
            }
            (OperatorPage::Closed, _) | (_, None) => pages,
        }
    }

    /// Returns the address of the console with a token, which its page takes out of the address. A browser never sends what
    /// stands behind the `#`.
    fn console_address(&self, url: &str) -> Option<String> {
        let Access::Printed { token, .. } = &self.access else { return None };
        let token = token.expose_secret();
        self.console.then(|| format!("Open this address, press the button and speak:\n\n{url}/#token={token}\n"))
    }

    fn access(&self, url: &str) -> String {
        let command = &self.command;
        match &self.access {
            Access::Printed { token, is_generated } => {
                let more = if *is_generated {
                    "VOXGATE_JWT_SECRET is not set: this token and the secret behind it end with this run.".to_owned()
                } else {
                    format!("With the same VOXGATE_JWT_SECRET, `{command} token --sub alice` prints more.")
                };
                let (model, token) = (&self.default_model, token.expose_secret());
                let sample = if Path::new(SAMPLE).exists() { SAMPLE } else { "YOUR-RECORDING.wav" };
                format!(
                    "The same token, valid for an hour, and a first request for a second terminal:\n\n\
                     export VOXGATE_TOKEN={token}\n\n\
                     curl -w '\\n' {url}/v1/audio/transcriptions \\\n  \
                     -H \"Authorization: Bearer $VOXGATE_TOKEN\" \\\n  \
                     -F model={model} -F file=@{sample}\n\n\
                     {more}\nCtrl-C stops the gateway.\n"
                )
            }
            Access::ByCommand => {
                format!("With the same settings, `{command} token --sub alice` prints a token for an hour.\n")
            }
            Access::NeedsSecret => format!(
                "VOXGATE_JWT_SECRET is not set, and standard output is not a terminal, so no token is printed. Set it,\n\
                 start again, and `{command} token --sub alice` prints a token for an hour.\n"
            ),
            Access::Issuer => {
                "Tokens come from the issuer whose keys [identity] names: the gateway has no secret to sign \
                               one with.\n"
                    .to_owned()
            }
        }
    }
}
