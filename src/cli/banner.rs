//! What a person reads when the gateway starts. It goes to standard output and never to the log, since it may hold a
//! token.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::token;
use crate::config::{Server, Settings};
use crate::identity::{KeyMaterial, is_short_secret};

/// What is worth saying of these settings.
pub(super) struct Banner {
    sandbox: bool,
    https: Https,
    weak_secret: bool,
    /// Where the embedded store is, which this run may have made.
    data_dir: Option<PathBuf>,
    /// A token to try the gateway with, where the secret was made for this run.
    token: Option<SecretString>,
}

/// How HTTPS comes about.
#[derive(Clone, Copy)]
enum Https {
    /// The gateway speaks it.
    Spoken,
    /// A proxy does, and nothing else is served.
    Required,
    /// Nobody is known to, and others than this machine can connect.
    Missing,
    /// Only this machine can connect.
    Needless,
}

impl Https {
    fn of(server: &Server) -> Self {
        match server {
            Server { tls: Some(_), .. } => Self::Spoken,
            Server { require_https: true, .. } => Self::Required,
            server if server.is_loopback() => Self::Needless,
            _ => Self::Missing,
        }
    }
}

impl Banner {
    pub(super) fn of(settings: &Settings, made_up: bool) -> Self {
        Self {
            sandbox: settings.uses_sandbox(),
            https: Https::of(&settings.server),
            weak_secret: matches!(
                settings.identity.secret.as_ref().map(|key| &key.material),
                Some(KeyMaterial::Secret(secret)) if is_short_secret(secret)
            ),
            data_dir: settings.store.redis.is_none().then(|| settings.store.data_dir.clone()),
            token: if made_up { token::for_trying(settings).ok() } else { None },
        }
    }

    pub(super) fn print(&self, address: SocketAddr) {
        let mut out = std::io::stdout().lock();
        let text = self.text(address);
        // A closed standard output is no reason not to serve.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn text(&self, address: SocketAddr) -> String {
        let scheme = if matches!(self.https, Https::Spoken) { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let mut lines = vec![format!("\nVoxgate listens on {url}   (API: {url}/docs)\n")];
        if self.sandbox {
            lines.push(
                "SANDBOX: no OPENAI_API_KEY is set, so nothing is recognised. The gateway does everything else for\n\
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
        if let Some(directory) = &self.data_dir {
            let directory = directory.display();
            lines.push(format!("Usage and budgets are kept in {directory}; `voxgate usage` shows them.\n"));
        }
        if let Some(token) = &self.token {
            lines.push(format!(
                "No VOXGATE_JWT_SECRET is set, so one was made for this run. A token for the next hour, and a try:\n\n\
                 export VOXGATE_TOKEN={}\n\n\
                 curl {url}/v1/audio/transcriptions \\\n  \
                 -H \"Authorization: Bearer $VOXGATE_TOKEN\" \\\n  \
                 -F model=gpt-transcribe -F file=@tests/media/pcm16.wav\n",
                token.expose_secret()
            ));
        }
        lines.join("\n") + "\n"
    }
}
