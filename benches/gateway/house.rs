//! All that a row needs, started together.

use super::process::Process;
use super::provider::Provider;
use super::proxies::{Gateway, Nginx};

/// The provider, and those that stand before it.
pub(crate) struct House {
    pub(crate) provider: Provider,
    pub(crate) gateway: Gateway,
    pub(crate) nginx: Option<Nginx>,
    /// One for each caller.
    pub(crate) tokens: Vec<String>,
}

impl House {
    pub(crate) fn start(with_nginx: bool) -> Self {
        let provider = Provider::start();
        let gateway = Gateway::start(provider.address);
        let nginx = if with_nginx { Nginx::start(provider.address) } else { None };
        if with_nginx && nginx.is_none() {
            println!("There is no nginx on this machine: its columns are left out.");
        }
        Self { provider, gateway, nginx, tokens: super::uploads::tokens() }
    }

    /// All that are not this process.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        let nginx = self.nginx.iter().map(|nginx| &nginx.process);
        [&self.gateway.process, &self.gateway.store].into_iter().chain(nginx)
    }

    /// Whoever has warned of something, since a measurement of that is none of what it says.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let nginx = self.nginx.iter().flat_map(Nginx::warnings).map(|line| format!("nginx: {line}"));
        self.gateway.warnings().into_iter().map(|line| format!("voxgate: {line}")).chain(nginx).collect()
    }
}
