//! Gateways with each kind of store behind them.

use super::gateway::{Gateway, Setup};
use super::poll::until;
use super::redis_server::Server;

/// A gateway for each store, by the same setup.
pub(crate) async fn with_each_store(setup: impl Fn() -> Setup) -> Vec<(Gateway, Option<Server>)> {
    let server = Server::start();
    let embedded = setup().start().await;
    let shared = setup().env("REDIS_URL", &server.url()).start().await;
    vec![(embedded, None), (shared, Some(server))]
}

/// Two gateways that share a Redis, and one with an embedded store.
pub(crate) async fn with_each_store_and_replica(
    setup: impl Fn() -> Setup,
) -> Vec<(Gateway, Option<Gateway>, Option<Server>)> {
    let server = Server::start();
    let shared = || setup().env("REDIS_URL", &server.url()).start();
    let (first, second) = (shared().await, shared().await);
    vec![(first, Some(second), Some(server)), (setup().start().await, None, None)]
}

/// A Redis that has on disk what it has confirmed, as in production.
pub(crate) fn durable_redis() -> Server {
    Server::with(&["--appendonly", "yes", "--appendfsync", "always"])
}

/// Waits until `/health/ready` reports this state of the store.
pub(crate) async fn wait_for_store(gateway: &Gateway, state: &str) {
    until(&format!("the store is {state}"), async || {
        let health = gateway.send(gateway.operational("/health/ready")).await.json();
        if health["store"] == state { Ok(()) } else { Err(health) }
    })
    .await;
}
