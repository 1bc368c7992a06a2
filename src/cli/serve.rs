//! `voxgate serve`: runs the gateway.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{Failure, banner};
use crate::app::reload::Origin;
use crate::app::server::Application;
use crate::config::{Problems, Settings};
use crate::identity::{KeyMaterial, KeySpec, VerifierError};
use crate::telemetry;

pub(super) async fn run(settings: Result<Settings, Problems>, file: Option<PathBuf>) -> Result<(), Failure> {
    let mut settings = settings?;
    telemetry::start_logs(settings.log_format).map_err(Failure::other)?;
    let made_up = settings.identity.is_empty().then(secret_of_this_run);
    if made_up.is_some() {
        settings.identity.secret.clone_from(&made_up);
    }
    let verifier = settings.identity.verifier().map_err(|errors| Failure::other(listed(&errors)))?;
    let published = settings.identity.published(None).map_err(Failure::other)?;
    let verifier = verifier.beside(published);
    if !settings.server.is_loopback() && settings.server.tls.is_none() {
        tracing::warn!(
            bind = %settings.server.bind,
            "plain HTTP on an address that is not loopback: a TLS-terminating proxy is expected in front of it"
        );
    }
    let banner = banner::Banner::of(&settings, made_up.is_some(), file.as_deref());
    let application = Application::build(settings, verifier, Origin { file, made_up }).map_err(Failure::other)?;
    tracing::info!(
        address = %application.address(),
        ops_address = %application.ops_address(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    banner.print(application.address());
    application.run().await.map_err(Failure::other)
}

fn listed(errors: &[VerifierError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Generates a secret that ends with the process.
fn secret_of_this_run() -> KeySpec {
    let random = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let material = KeyMaterial::Secret(SecretString::from(random));
    KeySpec { kid: None, algorithm: jsonwebtoken::Algorithm::HS256, material }
}
