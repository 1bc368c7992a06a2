//! `voxgate serve`: runs the gateway.

use std::path::PathBuf;

use super::banner;
use super::generated_secret::generate_secret;
use super::output::Failure;
use crate::app::reload::SettingsSource;
use crate::app::server::Application;
use crate::app::signals::Signals;
use crate::config::{Problems, Settings};
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
    let signals = Signals::catch().map_err(Failure::other)?;
    let application = Application::build(settings).map_err(Failure::other)?;
    tracing::info!(
        address = %application.address(),
        ops_address = application.ops_address().map(tracing::field::display),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    banner.print(application.address(), application.ops_address());
    application.run(SettingsSource { file, generated_secret }, signals).await.map_err(Failure::other)
}
