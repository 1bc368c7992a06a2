//! `voxgate health`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::Failure;
use crate::config::{Problems, Settings};

/// Which gateway to ask.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// The address to ask [default: where the settings say that the gateway listens]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<SocketAddr>,
}

impl Health {
    pub(super) async fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        // Without settings it is taken for a gateway as it is by default.
        let scheme =
            if settings.as_ref().is_ok_and(|settings| settings.server.tls.is_some()) { "https" } else { "http" };
        let mut address = match self.address {
            Some(address) => address,
            None => settings?.server.bind,
        };
        // "Every address" is where to listen, not where to call.
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
            // The certificate is for the name that clients use, not for this address, and nothing is told to whoever answers.
            .tls_danger_accept_invalid_certs(true)
            .build();
        let asked = client.map_err(Failure::other)?.get(format!("{url}/health/ready")).send().await;
        match asked {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(Failure::Other(format!("{url} is not ready: {}", response.status()))),
            Err(_) => Err(Failure::Other(format!("{url} does not answer"))),
        }
    }
}
