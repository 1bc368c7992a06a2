//! `voxgate serve`: runs the gateway.

use std::path::PathBuf;

use super::banner;
use super::output::Failure;
use super::token::random_secret;
use crate::app::reload::SettingsSource;
use crate::app::server::Application;
use crate::config::{Problems, Settings};
use crate::identity::{KeyMaterial, KeySpec};
use crate::telemetry;

pub(super) async fn run(settings: Result<Settings, Problems>, file: Option<PathBuf>) -> Result<(), Failure> {
    let mut settings = settings?;
    telemetry::start_logs(settings.fixed.log_format).map_err(Failure::other)?;
    let generated_secret = settings.identity.is_empty().then(generate_secret);
    if generated_secret.is_some() {
        settings.identity.secret.clone_from(&generated_secret);
    }
    if !settings.fixed.server.is_loopback() && settings.tls.is_none() {
        tracing::warn!(
            bind = %settings.fixed.server.bind,
            "plain HTTP on an address that is not loopback: a TLS-terminating proxy is expected in front of it"
        );
    }
    let banner = banner::Banner::new(&settings, generated_secret.is_some(), file.as_deref());
    let application =
        Application::build(settings, SettingsSource { file, generated_secret }).map_err(Failure::other)?;
    tracing::info!(
        address = %application.address(),
        ops_address = %application.ops_address(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    banner.print(application.address(), application.ops_address());
    application.run().await.map_err(Failure::other)
}

/// Generates a secret that ends with the process.
fn generate_secret() -> KeySpec {
    let material = KeyMaterial::Secret(random_secret());
    KeySpec { kid: None, algorithm: jsonwebtoken::Algorithm::HS256, material }
}
