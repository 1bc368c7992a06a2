//! All that a row needs, started together.

use std::collections::BTreeMap;

use super::process::Process;
use super::provider::Provider;
use super::proxies::{Build, Gateway, Nginx};

/// The provider, and those that stand before it.
pub(crate) struct House {
    pub(crate) provider: Provider,
    pub(crate) gateway: Gateway,
    /// Another build of it, to compare with.
    pub(crate) before: Option<Gateway>,
    pub(crate) nginx: Option<Nginx>,
    /// One for each caller.
    pub(crate) tokens: Vec<String>,
}

impl House {
    /// All that can be compared: this build, the one before, and nginx.
    pub(crate) fn of_all() -> Self {
        let mut house = Self::of(&Build::this());
        house.before = Build::before().map(|build| Gateway::start(&build, house.provider.address));
        house.nginx = Nginx::start(house.provider.address);
        if house.nginx.is_none() {
            println!("There is no nginx on this machine: its columns are left out.");
        }
        house
    }

    /// One build alone.
    pub(crate) fn of(build: &Build) -> Self {
        let provider = Provider::start();
        let gateway = Gateway::start(build, provider.address);
        Self { provider, gateway, before: None, nginx: None, tokens: super::uploads::tokens() }
    }

    /// All that are not this process.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        let nginx = self.nginx.iter().map(|nginx| &nginx.process);
        let gateways = [&self.gateway].into_iter().chain(&self.before);
        gateways.flat_map(|gateway| [&gateway.process, &gateway.store]).chain(nginx)
    }

    /// What was warned of, each thing with how often: a gateway without its store, say, is not what is to be measured.
    /// `None` where there was nothing.
    pub(crate) fn warnings(&self) -> Option<String> {
        let mut counts = BTreeMap::<String, usize>::new();
        let gateways = [&self.gateway].into_iter().chain(&self.before).flat_map(Gateway::warnings);
        for line in gateways.chain(self.nginx.iter().flat_map(Nginx::warnings)) {
            *counts.entry(line).or_default() += 1;
        }
        let lines: Vec<_> = counts.into_iter().map(|(line, count)| format!("{line} ({count} times)")).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    /// Prints them, where there are any.
    pub(crate) fn print_warnings(&self) {
        if let Some(warnings) = self.warnings() {
            println!("    warnings in the logs: {warnings}");
        }
    }
}
