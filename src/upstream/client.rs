//! The client for providers: the transport, the randomness and the clock that forwarding uses.

use std::cell::RefCell;
use std::time::SystemTime;

use super::client_tls::ClientTls;
use super::transport::{Network, Transport};
use crate::config::Settings;

/// The client for providers. Each worker thread has its own, with its own connection pool: a request stays on its thread,
/// and a worker that stops takes no connection away from another. All workers share the state of the providers.
///
/// The transport, the randomness and the calendar are handed in, so that a simulator can run forwarding. Waits and time limits follow the clock of the tokio runtime, which tests can pause.
#[derive(Debug)]
pub struct Upstream {
    pub(super) transport: Box<dyn Transport>,
    random: RefCell<fastrand::Rng>,
    /// The calendar, for the dates in providers' answers.
    pub(super) calendar: fn() -> SystemTime,
}

impl Upstream {
    /// Creates a client for providers on the network. The settings that it reads need a restart to change.
    pub fn new(settings: &Settings, tls: &ClientTls) -> Result<Self, reqwest::Error> {
        Ok(Self::with(Box::new(Network::new(settings, tls)?), fastrand::Rng::new(), SystemTime::now))
    }

    /// Creates a client for providers behind `transport`.
    pub fn with(transport: Box<dyn Transport>, random: fastrand::Rng, calendar: fn() -> SystemTime) -> Self {
        Self { transport, random: RefCell::new(random), calendar }
    }

    /// Returns the randomness for one request.
    pub(super) fn random(&self) -> fastrand::Rng {
        self.random.borrow_mut().fork()
    }
}
