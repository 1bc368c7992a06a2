//! For `voxgate check`: a test that gateways could keep their limits in a Redis.

use std::time::Duration;

use redis::cmd;
use tokio::sync::mpsc;

use super::records::parsed;
use super::{PATIENCE, Redis};
use crate::config;
use crate::limits::clock::Clock;
use crate::store::StoreError;

impl Redis {
    /// Checks that every part of the Redis of these settings can be reached and written to. Call it on a tokio runtime.
    pub async fn try_out(settings: &config::Redis) -> Result<(), StoreError> {
        let (nobody, _) = mpsc::unbounded_channel();
        let redis = Self::new(settings, Duration::ZERO, Clock::system(), nobody)
            .map_err(|error| StoreError::Failed(error.category().to_owned()))?;
        redis.is_as_addressed().await?;
        redis.probe().await
    }

    /// Checks that the server is a cluster if and only if its address says so. A cluster node that is addressed as a
    /// single server serves some callers and redirects the others; a single server that is addressed as a cluster has
    /// no list of nodes.
    async fn is_as_addressed(&self) -> Result<(), StoreError> {
        let link = &self.shared.link;
        if link.is_cluster() {
            return link.run(cmd("CLUSTER").arg("SLOTS").take(), PATIENCE).await.map(|_| ());
        }
        // A login that may not run this command leaves the answer open, which is no failure. Any other failure comes up
        // again later.
        let said = link.run(cmd("INFO").arg("cluster").take(), PATIENCE).await.and_then(parsed::<String>);
        if said.is_ok_and(|said| said.contains("cluster_enabled:1")) {
            let wrong = "it is part of a cluster, whose address begins with redis+cluster:// or rediss+cluster://";
            return Err(StoreError::Failed(wrong.to_owned()));
        }
        Ok(())
    }
}
