//! For `voxgate check`: whether gateways could keep their limits in a Redis.

use std::time::Duration;

use redis::cmd;
use tokio::sync::mpsc;

use super::records::parsed;
use super::{PATIENCE, Redis};
use crate::config;
use crate::limits::clock::Clock;
use crate::store::StoreError;

impl Redis {
    /// Whether the Redis of these settings can be reached and written to, every part of it. To be called on a tokio
    /// runtime.
    pub async fn try_out(settings: &config::Redis) -> Result<(), StoreError> {
        let (nobody, _) = mpsc::unbounded_channel();
        let redis = Self::new(settings, Duration::ZERO, Clock::system(), nobody)
            .map_err(|error| StoreError::Failed(error.category().to_owned()))?;
        redis.is_as_addressed().await?;
        redis.probe().await
    }

    /// Whether it is a cluster if its address says so. A node of a cluster that is taken for a server by itself serves some
    /// callers and sends the others away; a server by itself that is taken for a cluster has no list of its nodes.
    async fn is_as_addressed(&self) -> Result<(), StoreError> {
        let link = &self.shared.link;
        if link.is_cluster() {
            return link.run(cmd("CLUSTER").arg("SLOTS").take(), PATIENCE).await.map(|_| ());
        }
        // Where this is not allowed nothing is known, and nothing is held against it. What else fails, fails again.
        let said = link.run(cmd("INFO").arg("cluster").take(), PATIENCE).await.and_then(parsed::<String>);
        if said.is_ok_and(|said| said.contains("cluster_enabled:1")) {
            let wrong = "it is part of a cluster, whose address begins with redis+cluster:// or rediss+cluster://";
            return Err(StoreError::Failed(wrong.to_owned()));
        }
        Ok(())
    }
}
