//! `GET /operator/state`: what the gateway is doing now.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::access::OperatorAccess;
use super::answer;
use crate::fair_share::ThreadsLoad;
use crate::http::concurrency::Occupancy;
use crate::http::handlers::health;
use crate::http::state::AppState;
use crate::relay;
use crate::upstream::ProviderState;

pub(in crate::http) async fn show(access: OperatorAccess) -> HttpResponse {
    answer::json(&state_json(access.state()))
}

fn state_json(state: &AppState) -> Value {
    let (shared, spool) = (&state.shared, &state.settings.fixed.spool);
    let (pending, used) = (shared.limiter.pending(), shared.intake.quota.used());
    let occupancy = |of: &Occupancy| json!({ "now": of.held, "max": of.capacity });
    json!({
        "object": "operator.state",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": shared.started.elapsed().as_secs(),
        "status": health::status_word(state),
        "requests": {
            "in_flight": occupancy(&shared.concurrency.in_flight()),
            "queued": occupancy(&shared.concurrency.queue()),
            "streams": relay::streams_open(),
        },
        "providers": state.providers.states().iter().map(provider).collect::<Vec<_>>(),
        "store": {
            "kind": if state.settings.fixed.store.redis.is_some() { "redis" } else { "sqlite" },
            "state": health::store_word(shared.limiter.availability()),
        },
        "settlements": { "waiting": pending.waiting, "owed": pending.owed, "max": pending.max },
        "spool": {
            "memory": { "used_bytes": used.memory, "max_bytes": spool.max_spool_memory_bytes },
            "disk": { "used_bytes": used.disk, "max_bytes": spool.max_spool_disk_bytes },
        },
        "measuring": pool(shared.intake.measuring.load()),
        "speech": pool(shared.speech.load()),
    })
}

/// Describes the load of a pool of threads.
fn pool(load: ThreadsLoad) -> Value {
    json!({ "busy": load.busy, "threads": load.threads, "queued": load.queued, "max_queued": load.max_queued })
}

/// Describes a provider. Keys are shown by their names.
fn provider(provider: &ProviderState) -> Value {
    let keys = provider.keys.iter().map(|(name, state)| json!({ "name": name, "state": state.as_str() }));
    json!({
        "name": provider.name,
        "breaker": provider.breaker.as_str(),
        "failures": provider.failures,
        "keys": keys.collect::<Vec<_>>(),
    })
}
