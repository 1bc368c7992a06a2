//! `voxgate health`: asks a running gateway if it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::output::Failure;
use crate::config::{Problems, Settings};

/// Arguments of `voxgate health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// The address to ask [default: the address in the settings]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<SocketAddr>,
}

impl Health {
    pub(super) async fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        // Without readable settings, assume plain HTTP, the default.
        let scheme = if settings.as_ref().is_ok_and(|settings| settings.tls.is_some()) { "https" } else { "http" };
        let mut address = match self.address {
            Some(address) => address,
            None => settings?.fixed.server.bind,
        };
        // An unspecified address such as 0.0.0.0 is for listening, not for connecting.
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            });
        }
        let url = format!("{scheme}://{address}");
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(3))
            // The certificate names the host that clients use, not this address. The request holds no secret.
            .tls_danger_accept_invalid_certs(true)
            .build();
        let answer = client.map_err(Failure::other)?.get(format!("{url}/health/ready")).send().await;
        match answer {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(Failure::Other(format!("{url} is not ready: {}", response.status()))),
            Err(_) => Err(Failure::Other(format!("{url} does not answer"))),
        }
    }
}
