//! Opening the limiter of some settings: the store, and the queue of settlements.

use std::sync::Arc;

use super::limiter::{Limiter, LimiterParts};
use crate::config;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::private_dir;
use crate::settlement::{SettlementQueue, SettlementQueueBuilder};
use crate::store::{Embedded, OpenError, Redis, Store};

/// An error that keeps the limiter from opening.
#[derive(Debug, thiserror::Error)]
pub enum LimiterError {
    /// The embedded store cannot be opened.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// The Redis client rejects the address.
    #[error("REDIS_URL: {0}")]
    Redis(String),
    /// The journal of settlements cannot be opened.
    #[error("VOXGATE_DATA_DIR: {directory} cannot be used: {error}")]
    Journal {
        /// The data directory.
        directory: String,
        /// The error of the system.
        error: std::io::Error,
    },
}

impl Limiter {
    /// Opens the store of these settings and its settlement queue. Call it on the runtime that ends last.
    pub fn open(settings: &config::Store, clock: &Clock) -> Result<(Self, SettlementQueue), LimiterError> {
        let rates = Arc::new(Rates::new(clock.clone()));
        let leases = Arc::new(Leases::new(clock.clone()));
        let keep = settings.keep_records;
        let (store, queue) = match &settings.redis {
            None => {
                let (rates, leases, clock) = (Arc::clone(&rates), Arc::clone(&leases), clock.clone());
                let store = Embedded::open(&settings.data_dir, settings.namespace, keep, rates, leases, clock)?;
                (Store::Embedded(store), open_queue(settings)?)
            }
            Some(redis) => {
                let queue = open_queue(settings)?;
                let store = Redis::new(redis, keep, clock.clone(), queue.inbox());
                (Store::Redis(store.map_err(|error| LimiterError::Redis(error.category().to_owned()))?), queue)
            }
        };
        let (store, on_failure, clock) = (Arc::new(store), settings.on_failure, clock.clone());
        Ok(Self::new(LimiterParts { store, on_failure, clock, rates, leases }, queue))
    }
}

fn open_queue(settings: &config::Store) -> Result<SettlementQueueBuilder, LimiterError> {
    let unusable = |error| LimiterError::Journal { directory: settings.data_dir.display().to_string(), error };
    private_dir::make(&settings.data_dir).map_err(unusable)?;
    let folder = settings.data_dir.join(settings.namespace.journal());
    SettlementQueueBuilder::new(&folder, settings.max_pending).map_err(unusable)
}
