//! All that a row needs, started together.

use std::collections::BTreeMap;

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

    /// What was warned of, each thing with how often: a gateway without its store, say, is not what is to be measured.
    /// `None` where there was nothing.
    pub(crate) fn warnings(&self) -> Option<String> {
        let mut counts = BTreeMap::<String, usize>::new();
        for line in self.gateway.warnings().into_iter().chain(self.nginx.iter().flat_map(Nginx::warnings)) {
            *counts.entry(line).or_default() += 1;
        }
        let lines: Vec<_> = counts.into_iter().map(|(line, count)| format!("{line} ({count} times)")).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
}
