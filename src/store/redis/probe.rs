//! For `voxgate check`: a test that gateways could keep their limits in a Redis.

use std::time::Duration;

use redis::cmd;
use tokio::sync::mpsc;

use super::records::parsed;
use super::shared::BACKGROUND_TIMEOUT;
use super::store::Redis;
use crate::config;
use crate::limits::clock::Clock;
use crate::store::StoreError;

impl Redis {
    /// Checks that every shard of the Redis of these settings can be reached and written to. Call it on a tokio runtime.
    pub async fn probe_settings(settings: &config::Redis) -> Result<(), StoreError> {
        let (unused, _) = mpsc::unbounded_channel();
        let redis = Self::new(settings, Duration::ZERO, Clock::system(), unused)
            .map_err(|error| StoreError::Io(error.category().to_owned()))?;
        redis.check_cluster_mode().await?;
        redis.probe_shards().await
    }

    /// Checks that the server is a cluster if and only if its address says so. A cluster node that is addressed as a
    /// single server serves some callers and redirects the others; a single server that is addressed as a cluster has
    /// no list of nodes.
    async fn check_cluster_mode(&self) -> Result<(), StoreError> {
        let connections = &self.shared.connections;
        if connections.is_cluster() {
            return connections.run(cmd("CLUSTER").arg("SLOTS").take(), BACKGROUND_TIMEOUT).await.map(|_| ());
        }
        // A login that may not run this command leaves the answer open, which is no failure. Any other failure comes up
        // again later.
        let answer =
            connections.run(cmd("INFO").arg("cluster").take(), BACKGROUND_TIMEOUT).await.and_then(parsed::<String>);
        if answer.is_ok_and(|answer| answer.contains("cluster_enabled:1")) {
            let wrong = "it is part of a cluster, whose address begins with redis+cluster:// or rediss+cluster://";
            return Err(StoreError::Io(wrong.to_owned()));
        }
        Ok(())
    }
}
